"""Refusals of the portal, each with its HTTP status.

PortalError
├── Invalid       400  the request makes no sense, and the sentence says why
├── Unauthorized  401  no token that was checked came with the request
├── Removed       403  a worker whose account was removed
├── Unknown       404  no such job or task, or none that this worker may see
│   └── UnknownJob     no such job, for now perhaps
├── Declined      409  not now: the worker has skipped too many pages
├── Closed        409  the job takes no more answers
├── Unqualified   409  the worker has not passed the job's qualification yet
├── Unusable      422  the page of a task cannot be shown, and the sentence says why
├── TooLarge      413  more bytes than a request may have
├── TooMany       429  more requests than one worker may make
└── Busy          503  try again: other requests were faster several times, or AWS did not answer

The state machine retries OpenJob by these names: `Invalid` never, the others twice.
"""


class PortalError(Exception):
    """Request that cannot be met; its text is a sentence for the worker."""

    status = 500


class Invalid(PortalError):
    """Request that makes no sense; the sentence says why."""

    status = 400


class Unauthorized(PortalError):
    """Request without a checked token."""

    status = 401


class Removed(PortalError):
    """Request of a worker who was removed while their token still held."""

    status = 403


class Unknown(PortalError):
    """Request for a job or task that does not exist, or that this worker may not see.

    Both get the same status and words, so that nobody learns the names of other teams' jobs.
    """

    status = 404


class UnknownJob(Unknown):
    """Request for a job that does not exist, or not for this worker.

    An answer to it is not lost: its page keeps it, for the job may be about to be opened again.
    """


class Declined(PortalError):
    """Request that a worker may make, but not now."""

    status = 409


class Closed(PortalError):
    """Request to a job that takes no more answers."""

    status = 409


class Unqualified(PortalError):
    """Request for a page of a worker who has not passed the job's qualification."""

    status = 409


class Unusable(PortalError):
    """Request for a task whose page cannot be shown; the sentence says why."""

    status = 422


class TooLarge(PortalError):
    """Request with more bytes than it may have."""

    status = 413


class TooMany(PortalError):
    """Request of a worker who asks more often than a person can work."""

    status = 429


class Busy(PortalError):
    """Request with nothing wrong about it, to be sent again."""

    status = 503


OUTSIDE = frozenset({"botocore", "boto3", "s3transfer", "urllib3"})
"""Packages whose errors say that something outside did not answer, or refused."""


def is_outage(error: BaseException) -> bool:
    """Return whether an error comes from outside (the network, AWS), and is no fault of our code.

    An error that was raised because of an outage is one.

    >>> is_outage(ConnectionResetError()), is_outage(KeyError("source"))
    (True, False)
    """
    cause: BaseException | None = error
    while cause is not None:
        packages = {kind.__module__.partition(".")[0] for kind in type(cause).__mro__}
        if isinstance(cause, OSError) or packages & OUTSIDE:
            return True
        cause = cause.__cause__
    return False
