"""What wrk prints, as the benchmark of serving reads it."""

from __future__ import annotations

import pytest

from benchmarks.serve import load_of

# The deviation of the latency ends with 50 % here, as the median's line begins.
TOLD = """Running 2s test @ http://127.0.0.1:18777/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.35ms    2.58ms  20.21ms   99.50%
    Req/Sec     1.12k   517.02     1.96k    65.00%
  Latency Distribution
     50%  617.00us
     75%    3.25ms
     90%    6.09ms
     99%    1.16s
  2231 requests in 2.01s, 745.12KB read
Requests/sec:   1107.62
Transfer/sec:    369.93KB
"""


def test_a_load_is_read_from_what_wrk_prints() -> None:
    load = load_of(TOLD, cpu_s=4.462)
    assert load.per_second == 1107.62
    assert load.cpu_us == pytest.approx(2000)
    assert (load.p50_ms, load.p99_ms) == (pytest.approx(0.617), pytest.approx(1160))


def test_what_is_no_report_of_wrk_is_told() -> None:
    with pytest.raises(RuntimeError, match="wrk told 'unable to connect'"):
        load_of("unable to connect", cpu_s=1)
