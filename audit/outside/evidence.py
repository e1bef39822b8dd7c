"""What an export carries of the evidence outside: checkpoints with all their lines, and tokens."""

from collections.abc import Iterator

from django.conf import settings

from audit import checkpoint
from audit.models import Checkpoint, Publication, Token
from audit.outside import policy as policies
from audit.outside.folder import fullest
from audit.outside.publishing import last_publication
from audit.outside.standing import is_unmet


def head() -> str | None:
    """Return the checkpoint that an export ends with; None before the first.

    The newest published one: its cosignatures show that others saw it. While witnesses are away
    the newest signed one, so that no record is left out.
    """
    newest = Checkpoint.objects.order_by("-tree_size").first()
    if newest is None or policies.read(settings.WITNESSES_FILE) is None or is_unmet():
        return newest.note if newest else None
    last = last_publication()
    return last.note if last else newest.note


def checkpoints(last: checkpoint.Checkpoint) -> list[str]:
    """Return the checkpoints up to ``last``, each text with the most signature lines it has."""
    stored = Checkpoint.objects.filter(tree_size__lte=last.tree_size).order_by("tree_size")
    cosigned = Publication.objects.filter(tree_size__lte=last.tree_size).order_by("tree_size")
    notes = [*stored.values_list("note", flat=True), *cosigned.values_list("note", flat=True)]
    return fullest(notes)


def tokens(last: checkpoint.Checkpoint) -> Iterator[tuple[str, list[bytes]]]:
    """Yield (path in a bundle, content) of the newest token over each checkpoint."""
    newest = {
        token.tree_size: token
        for token in Token.objects.filter(tree_size__lte=last.tree_size).order_by("id")
    }
    for size, token in newest.items():
        yield f"tokens/{size}.txt", [token.body.encode()]
        yield f"tokens/{size}.tsr", [bytes(token.response)]
