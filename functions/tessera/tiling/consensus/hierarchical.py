"""Estimate each worker's confusion matrix, shrunk towards that of all workers together.

Dawid and Skene's model gives every worker a matrix of their own, for which a few answers are not
enough. Here it is shrunk towards the pooled matrix of all workers, and that one towards a plain
matrix that knows only how often people err and which labels they give then. Shrinkage is by
pseudo-answers: with `N` for expected counts and a `+` in place of an index for the sum over it,

    plain[k, l]        = (1 - a) h[l] / (1 - h[k])  for l != k,  a  for l = k
    P[k, l]            = (N[k, +, l] + 40 plain[k, l]) / (N[k, +, +] + 40)        pooled_confusion
    Q[k, j, l]         = P[k, l] with its odds of an error multiplied by d[j]     worker_prior
    confusion[k, j, l] = (N[k, j, l] + w[j] Q[k, j, l]) / (N[k, j, +] + w[j])     m_step
    w[j]               = s + 0.03 N[+, j, +]

where `a` is the accuracy of all answers, `h[l]` the share of label `l` among errors, and `d[j]` the
ratio of the errors of worker `j` to those expected under P, each with pseudo-counts; `s` is
estimated in `worker_shrinkage`. The class prior is

    prior[k] = v S[k] + (1 - v) E[k]

of the vote shares `S` and the flattest prior `E` that they allow, and another one where one class
is common (`class_prior`).

Hierarchical models of annotation: S. Paun et al.: Comparing Bayesian models of annotation. TACL 6,
2018. https://doi.org/10.1162/tacl_a_00040. Measured in docs/decisions/consensus-prior-and-habits.md
and consensus-evenest-prior.md; what moving each constant does is in consensus-constants.md.
"""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.class_prior import ClassPrior
from tessera.tiling.consensus.crowd import Floats
from tessera.tiling.consensus.em import EPSILON, ExpectedCounts, Model, by_code

POOLED_SHRINKAGE = 40.0
"""Pseudo-answers a class of the plain matrix that the pooled one is shrunk to: half and twice as
many are worse in ECE (docs/decisions/consensus-constants.md)."""
ERROR_LABEL_SMOOTHING = 10.0
"""Pseudo-errors, spread evenly over the labels, in the estimate of the labels that errors get: half
and twice as many are as good (docs/decisions/consensus-constants.md)."""
PRIOR_ACCURACY = 0.8
"""Accuracy of a crowd before anything is known of it, worth `POOLED_SHRINKAGE` answers: 0.7 and 0.9
are as good (docs/decisions/consensus-constants.md)."""
ERROR_RATE_SHRINKAGE = 10.0
"""Pseudo-errors in the estimate of a worker's rate of errors: half as many are worse in ECE
(docs/decisions/consensus-constants.md)."""
OWN_ANSWERS_SHARE = 0.03
"""Share of a worker's answers that is added to the shrinkage: none is worse in NLL, twice as much
where images have many answers (docs/decisions/consensus-prior-and-habits.md)."""
FIT_VOTE_WEIGHT, PREDICT_VOTE_WEIGHT = 1 / 3, 2 / 3
"""Weight of the vote shares in the class prior while workers are learned, and when images are
labeled (docs/decisions/consensus-evenest-prior.md)."""


def m_step(counts: ExpectedCounts, shrinkage: float, class_prior: ClassPrior) -> Model:
    """Return the posterior-mean matrices and the class prior, by the formulas of this module.

    `shrinkage` is `s`.
    """
    confusion, pooled = worker_confusion(counts.answers, shrinkage)
    np.log(confusion, out=confusion)
    # Estimates from some dozens of answers have fewer digits than half the width holds, and moving
    # them is most of the time: docs/decisions/consensus-half-width.md.
    log_confusion = by_code(confusion.astype(np.float32))
    return Model(class_prior.log_to_fit(counts, FIT_VOTE_WEIGHT), log_confusion, pooled, counts)


def worker_confusion(answers: Floats, shrinkage: float) -> tuple[Floats, Floats]:
    """Return the workers' matrices (classes x workers x labels), and the one of all together.

    `answers` are their expected counts, of the same shape; `shrinkage` is `s`.
    """
    pooled = pooled_confusion(answers.sum(axis=1))
    by_class = answers.sum(axis=2)
    own = by_class.sum(axis=0)
    right = np.einsum("kwk->w", answers)
    expected_errors = (by_class * (1 - np.diag(pooled))[:, None]).sum(axis=0)
    error_ratio = (own - right + ERROR_RATE_SHRINKAGE) / (expected_errors + ERROR_RATE_SHRINKAGE)
    weights = shrinkage + OWN_ANSWERS_SHARE * own
    confusion = worker_prior(pooled, error_ratio)
    # in place from here on: with many workers and classes this is the largest array there is
    confusion *= weights[:, None]
    confusion += answers
    confusion /= (by_class + weights)[:, :, None]
    return confusion, pooled


def pooled_confusion(answers: Floats) -> Floats:
    """Return the matrix of all workers (classes x labels) from their counts (classes x labels)."""
    classes = len(answers)
    right = np.diag(answers)
    accuracy = (right.sum() + PRIOR_ACCURACY * POOLED_SHRINKAGE) / (
        answers.sum() + POOLED_SHRINKAGE
    )
    wrong = answers.sum(axis=0) - right
    error_labels = (wrong + ERROR_LABEL_SMOOTHING / classes) / (wrong.sum() + ERROR_LABEL_SMOOTHING)
    plain = np.tile((1 - accuracy) * error_labels, (classes, 1))
    plain /= np.maximum(1 - error_labels, EPSILON)[:, None]
    np.fill_diagonal(plain, accuracy)
    pooled: Floats = answers + POOLED_SHRINKAGE * plain
    pooled /= answers.sum(axis=1, keepdims=True) + POOLED_SHRINKAGE
    return pooled


def worker_prior(pooled: Floats, error_ratio: Floats) -> Floats:
    """Return the pooled matrix at each worker's own rate of errors (classes x workers x labels).

    The odds of an error are multiplied by the worker's `error_ratio`; the proportions among wrong
    labels stay.
    """
    right = np.diag(pooled)[:, None]
    odds = (1 - right) / right * error_ratio
    wrong = odds / (1 + odds)
    prior: Floats = (pooled / (1 - right))[:, None, :] * wrong[:, :, None]
    for label, row in enumerate(prior):
        row[:, label] = 1 - wrong[label]
    return prior
