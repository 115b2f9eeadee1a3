"""The one exception that the command line turns into one line and exit status 2."""


class UserError(Exception):
    """A mistake of the user, or of the world around; its text is one line that names the fix."""
