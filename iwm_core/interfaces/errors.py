"""The two exceptions that the command line turns into one line: a mistake, status 2, and an early end."""


class UserError(Exception):
    """A mistake of the user, or of the world around; its text is one line that names the fix.

    What is called ``check_…``, ``refuse_…``, ``read_…`` or ``write_…`` raises it, or what is derived from it, where its first sentence
    does not hold; docstrings name it where there is more to say.
    """


class Stopped(BaseException):
    """The run has ended early, for a reason that ``text`` tells in one line; ``status`` is the exit status.

    As KeyboardInterrupt, it is no `Exception`: raised by a signal's handler inside of a library, it must not be taken for a fault there.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status
