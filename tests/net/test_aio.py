"""The installed aiohttp has what we stand on, and one that has not is refused."""

from __future__ import annotations

import pytest

from sidecar.core.errors import StartError
from sidecar.net import aio
from sidecar.net.connector import ClientConnection, Connector
from sidecar.net.server import ServerConnection


async def test_the_installed_aiohttp_fits() -> None:
    await aio.self_check()


@pytest.mark.parametrize("hook", ["_release", "_acquired", "_create_connection", "_wait_for_close"])
async def test_a_hook_that_is_gone_stops_the_start(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio, "_CONNECTOR_HOOKS", (*aio._CONNECTOR_HOOKS, f"{hook}_renamed"))
    with pytest.raises(StartError, match=f"Connector.{hook}_renamed"):
        await aio.self_check()


def test_every_hook_is_one_that_is_used() -> None:
    """A list that names more than the code uses would refuse an aiohttp that fits."""
    import inspect

    for hooks, users in (
        (aio._SERVER_HOOKS, [ServerConnection]),
        (aio._CLIENT_HOOKS, [ClientConnection, Connector]),
        (aio._CONNECTOR_HOOKS, [Connector]),
    ):
        source = "".join(inspect.getsource(user) for user in users)
        assert [hook for hook in hooks if hook not in source] == []
