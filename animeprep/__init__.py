"""Films and photos in, the training sets of AnimeGAN out. Never imports torch.

Pictures are uint8 RGB arrays of shape H×W×3 everywhere in this package.
"""
