"""Problems with logs, files and the object store."""

from problems import Conflict, Invalid, NotFound, TooLarge, Unavailable


class BadPath(Invalid):
    """This is no path of a file: names with slashes between them, without `.` and `..`."""


class BadKey(Exception):
    """A key that no object of ours has; never reaches a caller."""


class ObjectMissing(Exception):
    """There is no object with this key; where a row names it, a client gets ObjectLost."""


class StoreAway(Unavailable):
    """The object store does not answer; try again."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, cause="object_store", retry_after=5)


class ObjectLost(StoreAway):
    """The object store does not have what was put there; it may be another one, or not mounted."""


class LogUnknown(NotFound):
    """The task has no log."""


class ArtifactUnknown(NotFound):
    """The task has no such artifact."""


class SequenceGap(Conflict):
    """The number of the batch is not the next one of its stream."""

    code = "sequence_gap"


class SequenceUsed(Conflict):
    """Another batch has been accepted under this number."""

    code = "sequence_used"


class UploadGone(Conflict):
    """The upload took longer than a day, or its task was deleted meanwhile."""


class DigestDiffers(Invalid):
    """The body is not what X-Content-SHA256 says."""

    code = "digest_differs"


class ArtifactTooLarge(TooLarge):
    """The artifact, or all artifacts of its task together, are too large."""


class TooManyArtifacts(TooLarge):
    """The task has as many artifacts as it may have."""


class RoomTaken(Unavailable):
    """Other files of the task are on their way and need its room; try again."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, cause="uploads", retry_after=5)
