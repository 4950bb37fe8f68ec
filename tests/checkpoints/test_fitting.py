import torch

from make_model import TOY, tiny_config, tiny_model
from spatialflow.checkpoints.fitting import load_fitting_weights
from spatialflow.models.weights import Checkpoint


def test_a_layer_is_taken_whole_or_not_at_all() -> None:
    """The bias of the stuff logits would fit, its weight has fewer inputs."""
    source = tiny_model(seed=1)
    model = tiny_model(seed=2, stuff_channels=16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit = load_fitting_weights(model, Checkpoint(source.state_dict(), tiny_config(), TOY), "a.ckpt")
    assert "stuff_head.logits: (3, 8, 1, 1) in the file, (3, 16, 1, 1) here" in fit.anew
    anew = {line.partition(":")[0] for line in fit.anew}
    for name, tensor in model.state_dict().items():
        expected = before if name.rpartition(".")[0] in anew else source.state_dict()
        assert torch.equal(tensor, expected[name]), name
    assert fit.keeps_classes == ["cls_predictor", "mask_head.logits"]
    assert fit.left_out == []
