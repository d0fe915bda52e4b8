"""Grey weights give on layers what they gave on the contrast alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonar_watch.errors import ConfigurationError, WeightsError


@pytest.mark.slow
def test_a_spread_first_layer_looks_at_the_middle_layer_alone() -> None:
    import torch

    from sonar_watch.learning.warm_start import spread_first_layer

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 2, 3))
    layers = torch.rand(1, 3, 9, 9)
    grey = layers[:, 1:2].repeat(1, 3, 1, 1)
    with torch.no_grad():
        before = network(grey)
        spread_first_layer(network)
        assert torch.allclose(network(layers), before, atol=1e-5)
    with pytest.raises(ConfigurationError, match="3 channels"):
        spread_first_layer(torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3)))


@pytest.mark.slow
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    from sonar_watch.learning.warm_start import prepare_start

    (tmp_path / "a.pt").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"a\.pt: expected a detector's checkpoint"):
        prepare_start(tmp_path / "a.pt", None, False, tmp_path)
