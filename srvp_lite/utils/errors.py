"""The errors that are told to whoever runs a command, in the message's own words."""


class SRVPError(Exception):
    """Something that the user can set right; the message is one sentence that says what and how.

    The command prints it without a traceback. Anything else that goes wrong in the package is a fault of the package.
    """
