"Bodies that arrive too slowly are refused."

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from proxy.http import body_pace
from proxy.http.body_pace import BYTES_PER_SECOND, FREE_SECONDS, BodyPace, at_pace
from proxy.http.errors import ApiError

MIB = 2**20


@pytest.mark.parametrize(
    ("arrivals", "too_slow"),
    [
        pytest.param([(FREE_SECONDS, 1)], False, id="short and slow"),
        pytest.param([(FREE_SECONDS + 0.01, 1)], True, id="short and too slow"),
        pytest.param([(1, 31 * MIB), (FREE_SECONDS + 124, 1)], False, id="long, in its time"),
        pytest.param([(1, 31 * MIB), (FREE_SECONDS + 125, 1)], True, id="long, then a trickle"),
        pytest.param(
            [(n, BYTES_PER_SECOND) for n in range(1, 129)], False, id="the longest at the slowest pace"
        ),
        pytest.param([(n * 59, 1) for n in range(1, 4)], True, id="a byte before each pause is too long"),
    ],
)
def test_pace(arrivals: list[tuple[float, int]], too_slow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(body_pace.time, "monotonic", lambda: now)
    pace = BodyPace()
    seen = []
    for seconds, size in arrivals:
        now = 1000.0 + seconds
        seen.append(pace.is_too_slow(size))
    assert any(seen) == too_slow


async def test_the_error_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"a"
        monkeypatch.setattr(body_pace, "FREE_SECONDS", -1)
        yield b"b"

    received = at_pace(parts())
    assert await anext(received) == b"a"
    with pytest.raises(ApiError) as error:
        await anext(received)
    assert (error.value.status, error.value.type, error.value.code) == (
        408,
        "invalid_request_error",
        "request_timeout",
    )
    assert error.value.headers == {"Connection": "close"}
