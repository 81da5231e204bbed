"""Turn a manifest, plain or gzip, into batches of images.

A manifest is read in this order, a module a step:

    stream        bytes in pieces of any size → blocks of whole lines
    lines         one line → Image, Labeled or Rejected, with the reason
    sources       an S3 URI → why it cannot be that of an image, if so
    blocks        a block of lines → a Batch, by the fastest of three ways that give the same result
    items         an image → the JSON that stands for it in a task
    fingerprints  image sources → 96-bit hashes, by which duplicates are found
    batch         Batch, the arrays and text that the grouping takes over

Import from the modules: `stream`, `lines` and `sources` do without numpy, which a cold start should
not have to load.
"""
