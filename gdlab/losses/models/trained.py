"""The network of a loss with given parameters, as a module of torch.

Shapes: D parameters.
"""

from torch import Tensor, nn

from gdlab.losses.base import Loss
from gdlab.losses.models.network import Network
from gdlab.losses.transform import Transformed


def trained_network(loss: Loss, x: Tensor) -> nn.Module | None:
    """Return the network of a loss with the parameters x (D,); None for a loss without one.

    Args:
        loss: as it is minimized: of a transformed one the network has the parameters inside.
        x: a point, of the dtype of the loss.
    """
    while isinstance(loss, Transformed):
        loss, x = loss.base, loss.inward(x)
    return loss.network_at(x) if isinstance(loss, Network) else None


def network_blocks(loss: Loss) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and shapes of a network's parameters, in order; empty for other losses."""
    while isinstance(loss, Transformed):
        loss = loss.base
    return [*loss.layout] if isinstance(loss, Network) else []
