"""The composition root: real clock, real sockets, real sinks.

Knows: how the parts are made, joined, started and stopped, and in which order.
Must not know: what any of them decides. This is the one place that reads the clock for the
pipeline, makes ids, and touches the process (signals, descriptors, garbage collector).
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sidecar import admin, plan
from sidecar.core.address import Address
from sidecar.core.outcome import Reason, Refusal
from sidecar.core.records import Record
from sidecar.net import aio
from sidecar.net.listener import Listener
from sidecar.net.tls import contexts_for
from sidecar.net.upstream import HttpUpstream
from sidecar.pipeline import Exchange, Inbound, handle
from sidecar.pipeline.answer import answer
from sidecar.pipeline.graph import Plan
from sidecar.pipeline.ports import Client
from sidecar.pipeline.settle import settle
from sidecar.settings import show
from sidecar.settings.schema import Settings
