"""Writes sidecar/settings/prices.json, the built-in price table, from the data of genai-prices.

Knows: which of its providers are ours, and which of its rules can be said with `*`.
Why generated: the numbers are others' daily work (https://github.com/pydantic/genai-prices, MIT);
ours is a dated copy, so that a running sidecar asks nobody. `make prices` writes it anew.
Left out are models whose rule is more than `*` can say, and those that put out sound or pictures:
their tokens have prices that usage does not tell apart.
"""

from __future__ import annotations

import importlib.metadata
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices import data_snapshot

OURS = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "google": ("gcp.gemini", "gcp.vertex_ai"),
    "mistral": ("mistral_ai",),
    "groq": ("groq",),
    "deepseek": ("deepseek",),
    "x-ai": ("x_ai",),
    "openrouter": ("openrouter",),
    "cohere": ("cohere",),
    "together": ("together",),
    "fireworks": ("fireworks",),
    "perplexity": ("perplexity",),
    "cerebras": ("cerebras",),
    "moonshotai": ("moonshot",),
    "azure": ("azure.ai.openai",),
    "aws": ("aws.bedrock",),
}
RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
OTHER_OUTPUTS = ("output_audio_mtok", "output_image_mtok", "output_video_mtok")
OTHER_UNITS = ("requests_kcount", "input_mchars", "audio_hours", "input_audio_hours")
OTHER_WORDS = ("audio", "realtime", "tts", "transcribe", "whisper", "image", "video", "omni")
TABLE = Path(__file__).parent.parent / "sidecar" / "settings" / "prices.json"


def patterns(clause: Any) -> list[str] | None:
    """The rule with `*`; None where that is not enough."""
    match type(clause).__name__:
        case "ClauseEquals":
            made = [clause.equals]
        case "ClauseStartsWith":
            made = [f"{clause.starts_with}*"]
        case "ClauseEndsWith":
            made = [f"*{clause.ends_with}"]
        case "ClauseContains":
            made = [f"*{clause.contains}*"]
        case "ClauseOr":
            made = []
            for part in clause.or_:
                if (some := patterns(part)) is None:
                    return None
                made += some
        case _:
            return None
    return made


def row(prices: Any) -> dict[str, Any] | None:
    """Base rates, and those of long requests beside them."""
    if any(getattr(prices, name, None) for name in (*OTHER_OUTPUTS, *OTHER_UNITS)):
        return None
    rates: dict[str, Any] = {}
    tiers: dict[int, dict[str, float]] = {}
    for name, field in RATES.items():
        value = getattr(prices, field, None)
        if value is None:
            continue
        if isinstance(value, Decimal):
            rates[name] = float(value)
            continue
        rates[name] = float(value.base)
        for tier in value.tiers:
            tiers.setdefault(tier.start, {})[name] = float(tier.price)
    if "input" not in rates:
        return None
    if tiers:
        rates["above"] = {str(start): tiers[start] for start in sorted(tiers)}
    return rates


def main() -> None:
    now = datetime.now(UTC)
    table: dict[str, Any] = {}
    left_out = 0
    for provider in data_snapshot.get_snapshot().providers:
        models: dict[str, Any] = {}
        for model in provider.models:
            rates = row(model.get_prices(now))
            names = patterns(model.match)
            is_other = any(word in model.id for word in OTHER_WORDS)
            if rates is None or names is None or is_other:
                left_out += 1
                continue
            models |= dict.fromkeys(names, rates)
        for name in OURS.get(provider.id, ()):
            urls = provider.pricing_urls or ["https://github.com/pydantic/genai-prices"]
            table[name] = {"source": urls[0], "models": dict(sorted(models.items()))}
    version = importlib.metadata.version("genai-prices")
    head = {
        "date": now.date().isoformat(),
        "source": f"genai-prices {version} (MIT), https://github.com/pydantic/genai-prices",
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    providers = []
    for name, told in sorted(table.items()):
        rows = (f"   {json.dumps(m)}: {json.dumps(r)}" for m, r in told["models"].items())
        models = ",\n".join(rows)
        source = json.dumps(told["source"])
        providers.append(f'  "{name}": {{"source": {source}, "models": {{\n{models}\n  }}}}')
    body = ",\n".join(providers)
    TABLE.write_text("{\n" + ",\n".join(lines) + f',\n"providers": {{\n{body}\n}}\n}}\n')
    count = sum(len(told["models"]) for told in table.values())
    print(f"{TABLE.name}: {count} rows of {len(table)} providers; {left_out} models left out")


if __name__ == "__main__":
    main()
