"""What every mistake ends in: status 2 and one line that names the fix."""


def assert_one_line(result, *fix):
    status, error = result
    lines = error.strip().splitlines()
    assert status == 2, error
    assert len(lines) == 1, error
    assert lines[0].startswith("iwm: ")
    for words in fix:
        assert words in lines[0]
