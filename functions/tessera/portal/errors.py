"""What the portal refuses, and how it says so.

PortalError
├── Invalid       400  the request makes no sense, and the sentence says why
├── Unknown       404  no such job or task, or none that this worker may see
├── Closed        409  the job takes no more answers
├── TooLarge      413  more bytes than a request may have
├── TooMany       429  more requests than one worker may make
└── Busy          503  try again: someone else was faster several times, or AWS did not answer
"""


class PortalError(Exception):
    """A request that cannot be met; its text is a sentence for the worker."""

    status = 500


class Invalid(PortalError):
    """The request makes no sense, and the sentence says why."""

    status = 400


class Unknown(PortalError):
    """There is no such job or task, or none that this worker may see."""

    status = 404


class Closed(PortalError):
    """The job takes no more answers."""

    status = 409


class TooLarge(PortalError):
    """The request has more bytes than it may."""

    status = 413


class TooMany(PortalError):
    """The worker asks more often than a worker may."""

    status = 429


class Busy(PortalError):
    """Nothing is wrong with the request: try again."""

    status = 503
