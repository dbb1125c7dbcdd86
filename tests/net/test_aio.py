"""The installed aiohttp has what we stand on, and one that has not is refused."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, TCPConnector

from sidecar.core.errors import StartError
from sidecar.net import aio
from sidecar.net.connector import ClientConnection, Connector
from sidecar.net.factory import Server
from sidecar.net.server import ServerConnection


async def test_the_installed_aiohttp_fits() -> None:
    await aio.self_check()


@pytest.mark.parametrize(
    ("owner", "hook", "told"),
    [
        (BaseProtocol, "_drain_helper", r"(Server|Client)Connection\._drain_helper"),
        (ResponseHandler, "should_close", r"ClientConnection\.should_close"),
        (BaseConnector, "_release", r"Connector\._release"),
        (TCPConnector, "_create_connection", r"Connector\._create_connection"),
    ],
)
async def test_an_aiohttp_that_lost_a_hook_is_refused_by_its_version(
    owner: type, hook: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(owner, hook)
    if owner is TCPConnector:  # its base only says that there must be one
        monkeypatch.delattr(BaseConnector, hook)
    with pytest.raises(StartError, match=rf"^aiohttp \d+\.\d+.* does not fit: .*{told}"):
        await aio.self_check()


@pytest.mark.parametrize(
    "version", ["3.14.4", "3.14", "3.9.5", "3.13.99", "2.99.99", "3.14.4.post1"]
)
async def test_an_aiohttp_with_known_faults_is_refused_with_the_fix(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "__version__", version)
    with pytest.raises(StartError) as refused:
        await aio.self_check()
    assert str(refused.value) == (
        f"aiohttp {version} is older than 3.14.5 and has known security faults;"
        " run: pip install 'aiohttp[speedups]>=3.14.5'"
    )


@pytest.mark.parametrize("version", ["3.14.5", "3.14.10", "3.15.0a1", "4.0.0", "3.14.5.post1"])
async def test_an_aiohttp_without_them_is_not(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "__version__", version)
    await aio.self_check()


def test_every_hook_is_one_that_is_used() -> None:
    """A list that names more than the code uses would refuse an aiohttp that fits."""
    import inspect

    for hooks, users in (
        (aio._SERVER_HOOKS, [ServerConnection, Server]),
        (aio._CLIENT_HOOKS, [ClientConnection, Connector]),
        (aio._CONNECTOR_HOOKS, [Connector]),
    ):
        source = "".join(inspect.getsource(user) for user in users)
        assert [hook for hook in hooks if hook not in source] == []
