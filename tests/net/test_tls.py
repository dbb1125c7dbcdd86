"""Contexts: one for each distinct `tls:`, and a clear word where its files cannot be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sidecar.core.errors import StartError
from sidecar.net.tls import contexts_for
from sidecar.settings.schema import Tls

from .peers import configured


def test_upstreams_with_the_same_tls_share_a_context_and_plain_ones_need_none() -> None:
    upstreams = (
        configured("https://a.example"),
        configured("https://b.example"),
        configured("http://c.example", tls=Tls(verify=False)),
    )
    contexts = contexts_for(upstreams)
    assert list(contexts) == [Tls()]
    context = contexts[Tls()]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_verification_nothing_is_checked() -> None:
    tls = Tls(verify=False)
    context = contexts_for((configured("https://a.example", tls=tls),))[tls]
    assert context.verify_mode is ssl.CERT_NONE


def test_a_file_that_is_no_pem_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nonsense")
    with pytest.raises(StartError, match=r"upstreams\.up\.tls"):
        contexts_for((configured("https://a.example", tls=Tls(ca_file=str(file))),))
