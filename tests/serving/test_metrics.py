from __future__ import annotations

from serving.metrics import Metrics


def test_nothing_is_told_of_what_did_not_happen() -> None:
    assert Metrics().page() == "\n"


def test_counters_and_histograms_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    metrics.answered('a"\\', "predict", "REST", "OK", 15e-6)
    metrics.answered('a"\\', "predict", "REST", "OK", 1.0)
    metrics.answered("b", "predict", "GRPC", "NOT_FOUND", 1.0)
    metrics.ran("b", "Predict", 10e-6)
    metrics.took_examples("b", 3)
    lines = metrics.page().splitlines()
    prefix = ":tensorflow:serving:"
    labels = 'model_name="a\\"\\\\",API="predict",entrypoint="REST"'
    assert f"# TYPE {prefix}request_latency histogram" in lines
    buckets = [line for line in lines if line.startswith(f"{prefix}request_latency_bucket")]
    assert buckets[:3] == [
        f'{prefix}request_latency_bucket{{{labels},le="10"}} 0',
        f'{prefix}request_latency_bucket{{{labels},le="18"}} 1',
        f'{prefix}request_latency_bucket{{{labels},le="32.4"}} 1',
    ]
    assert buckets[-1] == f'{prefix}request_latency_bucket{{{labels},le="+Inf"}} 2'
    assert len(buckets) == 34
    assert f"{prefix}request_latency_count{{{labels}}} 2" in lines
    assert f'{prefix}request_count{{model_name="b",status="NOT_FOUND"}} 1' in lines
    assert f'{prefix}request_example_count_total{{model="b"}} 3' in lines
    runtime = 'model_name="b",API="Predict",runtime="TF1"'
    assert f'{prefix}runtime_latency_bucket{{{runtime},le="18"}} 1' in lines
    assert not any("GRPC" in line for line in lines)
