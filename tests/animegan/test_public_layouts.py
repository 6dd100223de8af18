"""Each network against a slow plain one, written in the names and axes of the public files."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from animegan.checkpoint import load_generator
from animegan.models import GENERATORS
from animegan.public.layouts import layouts, shapes_of
from animegan.tensors import to_tensor


def random_arrays(network):
    """Weights of a public file in its own names and axes."""
    rng = np.random.default_rng(0)
    layout = next(layout for layout in layouts() if layout.network == network)
    arrays = {}
    for ours, shape in shapes_of(network).items():
        source = layout.sources[ours]
        fan = np.prod(shape[1:]) if len(shape) > 1 else 10
        value = (rng.normal(size=shape) / np.sqrt(fan) + (len(shape) == 1)).astype(np.float32)
        arrays[source.name] = (
            value if source.axes is None else value.transpose(np.argsort(source.axes))
        )
    return arrays


def photo(height=16, width=16):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def painted(path, network=None):
    generator, _ = load_generator(path, network)
    with torch.inference_mode():
        return generator(to_tensor(photo()))[0].permute(1, 2, 0).numpy()


def legacy(features, factor):
    """TensorFlow 1's bilinear resize, pixel by pixel: the source of i is i / factor."""
    for axis in (0, 1):
        size = features.shape[axis]
        rows = []
        for place in range(int(size * factor)):
            low = int(place / factor)
            share = place / factor - low
            one, two = (features.take(min(at, size - 1), axis) for at in (low, low + 1))
            rows.append((1 - share) * one + share * two)
        features = np.stack(rows, axis)
    return features


def torchs(aligned):
    def resize(features, factor):
        batch = torch.from_numpy(features).permute(2, 0, 1)[None]
        answer = functional.interpolate(
            batch, scale_factor=factor, mode="bilinear", align_corners=aligned
        )
        return answer[0].permute(1, 2, 0).numpy()

    return resize


class TensorFlow:
    """Layers that find their weights as TensorFlow names them: scope, kind, order of calls."""

    def __init__(self, arrays, norm, resize=legacy, epsilon=1e-12):
        self.arrays, self.norm_kind, self.resize, self.epsilon = arrays, norm, resize, epsilon
        self.calls: Counter[tuple[str, str]] = Counter()

    def name(self, scope, kind):
        number = self.calls[scope, kind]
        self.calls[scope, kind] += 1
        return "/".join(
            filter(None, ("generator/G_MODEL", scope, kind + f"_{number}" * bool(number)))
        )

    def convolve(self, x, kernel, stride=1, *, depthwise=False):
        size = kernel.shape[0]
        pad = (0, 1) if stride == 2 else (size // 2, size // 2)
        if size > 1:
            x = np.pad(x, (pad, pad, (0, 0)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))
        windows = windows[::stride, ::stride].astype(np.float64)
        if depthwise:
            return np.einsum("hwcij,ijcx->hwc", windows, kernel)
        return np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True)

    def norm(self, x, name, epsilon):
        axes = (0, 1) if self.norm_kind == "InstanceNorm" else None
        whitened = (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)
        return whitened * self.arrays[f"{name}/gamma"] + self.arrays[f"{name}/beta"]

    def conv(self, x, scope, stride=1):
        return self.convolve(x, self.arrays[self.name(scope, "Conv") + "/weights"], stride)

    def conv_norm(self, x, scope, stride=1, norm=None):
        x = self.conv(x, scope, stride)
        name = f"generator/G_MODEL/{norm}" if norm else self.name(scope, self.norm_kind)
        return lrelu(self.norm(x, name, self.epsilon))

    def separable(self, x, scope, stride=1):
        name = self.name(scope, "SeparableConv2d")
        x = self.convolve(x, self.arrays[f"{name}/depthwise_weights"], stride, depthwise=True)
        x = self.convolve(x, self.arrays[f"{name}/pointwise_weights"])
        return lrelu(self.norm(x, f"{name}/InstanceNorm", 1e-6))

    def residual(self, x, scope):
        name, block = f"generator/G_MODEL/{scope}", scope.rsplit("/", 1)[1]
        y = self.conv_norm(x, scope)
        y = self.convolve(y, self.arrays[f"{name}/{block}/w"], depthwise=True)
        y = y + self.arrays.get(f"{name}/{block}/bias", 0)
        y = lrelu(self.norm(y, f"{name}/1", self.epsilon))
        y = self.norm(self.conv(y, scope), f"{name}/2", self.epsilon)
        return x + y if x.shape == y.shape else y


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x)


def plain_animegan(arrays):
    tf = TensorFlow(arrays, "InstanceNorm", epsilon=1e-5)
    x = photo() / 127.5 - 1
    x = tf.conv_norm(tf.conv_norm(x, "b1"), "b1")
    x = tf.separable(x, "b1", 2) + tf.separable(tf.resize(x, 0.5), "b1")
    x = tf.separable(tf.conv_norm(x, "b2"), "b2")
    x = tf.separable(x, "b2", 2) + tf.separable(tf.resize(x, 0.5), "b2")
    x = tf.conv_norm(x, "m")
    for block in range(1, 9):
        x = tf.residual(x, f"m/r{block}")
    x = tf.conv_norm(x, "m")
    x = tf.separable(tf.separable(tf.resize(x, 2), "u2"), "u2")
    x = tf.separable(tf.resize(tf.conv_norm(x, "u2"), 2), "u1")
    x = tf.conv_norm(tf.conv_norm(x, "u1"), "u1")
    return np.tanh(tf.conv(x, ""))


def plain_animegan_v2(arrays, resize=legacy, epsilon=1e-12):
    tf = TensorFlow(arrays, "LayerNorm", resize, epsilon)
    x = photo() / 127.5 - 1
    for scope, strides in (("A", (1, 2, 1)), ("B", (2, 1)), ("C", (1,))):
        for stride in strides:
            x = tf.conv_norm(x, scope, stride)
    for block in range(1, 5):
        x = tf.residual(x, f"C/r{block}")
    x = tf.conv_norm(x, "C")
    x = tf.conv_norm(tf.conv_norm(tf.resize(x, 2), "D"), "D")
    x = tf.conv_norm(tf.conv_norm(tf.conv_norm(tf.resize(x, 2), "E"), "E"), "E")
    return np.tanh(tf.conv(x, "out_layer"))


def plain_lite(arrays):
    tf = TensorFlow(arrays, "LayerNorm")
    x0 = tf.conv_norm(photo() / 127.5 - 1, "")
    x1 = tf.conv_norm(tf.conv_norm(x0, "", 2), "")
    x2 = tf.conv_norm(tf.conv_norm(x1, "", 2), "")
    x = tf.conv_norm(tf.conv_norm(x2, "", 2), "")
    for block in range(1, 5):
        y = tf.conv_norm(x, "", norm=f"res{block}_1")
        x = x + tf.conv(tf.conv_norm(y, "", norm=f"res{block}_2"), "")
    for skip in (x2, x1, x0):
        x = tf.conv_norm(tf.conv_norm(tf.resize(x, 2), "") + skip, "")
    return np.tanh(tf.conv(x, "out_layer"))


@pytest.mark.parametrize(
    ("network", "plain"),
    [
        ("animegan-tf", plain_animegan),
        ("animeganv2-tf", plain_animegan_v2),
        ("animeganv2-lite-tf", plain_lite),
    ],
)
def test_tensorflow_weights_paint_as_the_plain_network(tmp_path, network, plain):
    arrays = random_arrays(network)
    np.savez(tmp_path / "x.npz", **arrays)
    np.testing.assert_allclose(painted(tmp_path / "x.npz"), plain(arrays), atol=2e-4)


@pytest.mark.parametrize(
    ("network", "aligned"), [("animeganv2", False), ("animeganv2-aligned", True)]
)
def test_another_resize_can_be_asked_for(tmp_path, network, aligned):
    arrays = random_arrays("animeganv2-tf")
    np.savez(tmp_path / "x.npz", **arrays)
    expected = plain_animegan_v2(arrays, torchs(aligned), 1e-5)
    np.testing.assert_allclose(painted(tmp_path / "x.npz", network), expected, atol=2e-4)


def plain_cartoongan(arrays):
    """The CartoonGAN authors' network: BGR in, BGR out."""
    w = {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}

    def conv(x, name, **how):
        return functional.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **how)

    def padded(x, name, pad):
        return conv(functional.pad(x, (pad,) * 4, mode="reflect"), name)

    def norm(x, name):
        x = (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(
            x.var((2, 3), correction=0, keepdim=True) + 1e-9
        )
        return x * w[f"{name}.scale"].view(1, -1, 1, 1) + w[f"{name}.shift"].view(1, -1, 1, 1)

    x = norm(padded(to_tensor(photo()).flip(1), "conv01_1", 3), "in01_1").relu()
    for pair in ("02", "03"):
        x = conv(conv(x, f"conv{pair}_1", stride=2, padding=1), f"conv{pair}_2", padding=1)
        x = norm(x, f"in{pair}_1").relu()
    for block in range(4, 12):
        y = norm(padded(x, f"conv{block:02d}_1", 1), f"in{block:02d}_1").relu()
        x = x + norm(padded(y, f"conv{block:02d}_2", 1), f"in{block:02d}_2")
    for up in (1, 2):
        name = f"deconv0{up}_1"
        x = functional.conv_transpose2d(
            x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1, output_padding=1
        )
        x = norm(conv(x, f"deconv0{up}_2", padding=1), f"in{up + 11}_1").relu()
    return padded(x, "deconv03_1", 3).tanh().flip(1)[0].permute(1, 2, 0).numpy()


def test_the_cartoongan_authors_weights_paint_as_their_network(tmp_path):
    arrays = random_arrays("cartoongan-authors")
    np.savez(tmp_path / "x.npz", **arrays)
    np.testing.assert_allclose(painted(tmp_path / "x.npz"), plain_cartoongan(arrays), atol=2e-4)


@pytest.mark.parametrize("layout", layouts(), ids=lambda layout: layout.network)
def test_a_layout_names_every_tensor_of_its_network_once(layout):
    state = GENERATORS[layout.network]().state_dict()
    assert layout.sources.keys() == state.keys()
    assert len({source.name for source in layout.sources.values()}) == len(state)


@pytest.mark.parametrize(
    ("file", "network", "reference", "answer"),
    [
        ("reference/animegan_v2_random.safetensors", None, "animegan_v2_random", "true"),
        ("reference/animegan_v2_random.safetensors", "animeganv2", "animegan_v2_random", "false"),
        ("weights/cartoongan_shinkai.npz", None, "cartoongan_shinkai", "rgb"),
    ],
)
def test_public_weights_reproduce_the_reference(shared, file, network, reference, answer):
    generator, _ = load_generator(shared / file, network)
    with np.load(shared / "reference" / f"{reference}.npz") as known:
        expected = next(
            known[name] for name in known.files if name.endswith(answer) and "_" in name
        )
        with torch.inference_mode():
            painted = generator(to_tensor(known["rgb"]))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(painted, expected, atol=1e-5)
