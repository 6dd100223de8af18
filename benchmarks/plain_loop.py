"""A training step as the papers' code does it, for `benchmarks/training.py` to compare with.

G paints twice, once for D's step and once for its own; D judges each set in a pass of its own; F
sees photo, gray style picture and painted picture one after the other. Torch's own norms, its own
memory layout, its own Adam, all in float32 and not compiled. As in the papers' TensorFlow code no
gradient is computed that nobody uses: none for G in D's step, none for D's weights in G's.
"""

import copy

import torch
from torch import Tensor, nn

from animegan.data import Batch
from animegan.losses import adversarial_loss, colour_loss, content_loss, style_loss, tv_loss
from animegan.models.norms import InstanceNorm, LayerNorm
from animegan.models.vgg import VGGFeatures
from animegan.recipes import Recipe
from animegan.trainer import Trainer


class PlainLoop:
    """The networks of a trainer with the same weights, and the plain step.

    Args:
        trainer: whose recipe, weights and device are taken.
        features: F.
    """

    def __init__(self, trainer: Trainer, features: VGGFeatures) -> None:
        self.recipe: Recipe = trainer.recipe
        self.generator = _plain(trainer.generator)
        self.discriminator = _plain(trainer.discriminator).train()
        self.features = _plain(features)
        betas = (self.recipe.beta1, 0.999)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), self.recipe.generator_lr, betas)
        self.adam_d = torch.optim.Adam(
            self.discriminator.parameters(), self.recipe.discriminator_lr, betas
        )

    def step(self, batch: Batch) -> dict[str, float]:
        """One step of D, then one of G."""
        d = self._discriminator_step(batch)
        g = self._generator_step(batch)
        return {"d": d.item(), "g": g.item()}

    def _discriminator_step(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            painted = self.generator(batch.photo)
        sets = {"real": batch.anime, "fake": painted, "gray": batch.gray, "smooth": batch.smooth}
        loss = torch.zeros((), device=batch.photo.device)
        for name, weight in self.recipe.discriminator_weights().items():
            judged = self.discriminator(sets[name])
            loss = loss + weight * adversarial_loss(
                judged, float(name == "real"), self.recipe.gan_loss
            )
        self.adam_d.zero_grad()
        loss.backward()
        self.adam_d.step()
        return loss.detach()

    def _generator_step(self, batch: Batch) -> Tensor:
        weights = self.recipe.generator_weights()
        painted = self.generator(batch.photo)
        judged = self.discriminator(painted)
        loss = weights["adversarial"] * adversarial_loss(judged, 1, self.recipe.gan_loss)
        photo_features = self.features(batch.photo)
        painted_features = self.features(painted)
        loss = loss + weights["content"] * content_loss(photo_features, painted_features)
        if "gram" in weights:
            gray_features = self.features(batch.gray)
            loss = loss + weights["gram"] * style_loss(gray_features, painted_features)
        if "colour" in weights:
            colour = colour_loss(batch.photo, painted, self.recipe.chroma)
            loss = loss + weights["colour"] * colour
        if "tv" in weights:
            loss = loss + weights["tv"] * tv_loss(painted)
        self.adam_g.zero_grad()
        loss.backward(inputs=list(self.generator.parameters()))
        self.adam_g.step()
        return loss.detach()


def _plain(network: nn.Module) -> nn.Module:
    """A copy with torch's norms, contiguous."""
    copied = copy.deepcopy(network)
    for parent in list(copied.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, InstanceNorm | LayerNorm):
                setattr(parent, name, _torch_norm(child))
    contiguous: nn.Module = copied.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stub lacks it
    return contiguous


def _torch_norm(norm: InstanceNorm | LayerNorm) -> nn.Module:
    channels = len(norm.weight)
    theirs: nn.Module = nn.GroupNorm(1, channels, norm.epsilon)
    if isinstance(norm, InstanceNorm):
        theirs = nn.InstanceNorm2d(channels, norm.epsilon, affine=True)
    theirs.load_state_dict(norm.state_dict())
    return theirs.to(norm.weight.device)
