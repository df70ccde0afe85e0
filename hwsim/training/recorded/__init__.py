"""Recorded training traces: the vectors of a training run in a Parquet file, written once and replayed open loop."""

from hwsim.training.recorded.patches import patches, unfolded_bytes
from hwsim.training.recorded.reader import RecordedFile, RecordedStep, Stream
from hwsim.training.recorded.writer import Call, RecordWriter

__all__ = ["Call", "RecordWriter", "RecordedFile", "RecordedStep", "Stream", "patches", "unfolded_bytes"]
