"""Read the settings of a run from `labeling.json` into one typed record, with errors to act on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import FieldInfo

from tessera.tiling.class_shares import share_problems
from tessera.tiling.encoding import decode_json
from tessera.tiling.errors import LabelAttributeIllegal, LabelsMissing, SettingsInvalid
from tessera.tiling.live_control import StopBelow
from tessera.tiling.method_names import DEFAULT_METHOD, WEIGHING_METHODS, Method

ESCAPE = "cannot see"
"""The answer for an image that cannot be judged, where the settings name none."""
ESCAPES = ("invalid image", ESCAPE)
"""Labels that are taken for that answer: the first is what Ground Truth's own examples call it."""
RESERVED_KEYS = ("source", "source-ref", "prelabel", "prelabel-confidence", "gold", "answered-by")
"""Keys of a manifest line, or of a task's, that mean something: no label is written under them."""
GOLD_UNUSED = "gold_per_task: 0, so known labels have no effect"
"""Beginning of the notice that lines have known labels which a run does not read."""
FILE_KEYS = ("$schema", "document-version")
"""Keys that say what kind of file this is, for an editor or for Ground Truth; they set nothing."""

LONGEST_SETTINGS = 1_000_000
"""Bytes: above the longest settings that can be used, however wastefully JSON spells them."""
LONGEST_QUESTION = 120
"""Characters of a question made from the labels: about what the page shows on one line."""

Label = Annotated[str, Meta(min_length=1, max_length=256)]
Order = Literal["spread", "as-given", "shuffle", "by-prelabel", "similar"]
Repeats = Literal["once", "each"]
TaskKind = Literal["tiles", "multi", "verify", "boxes", "custom"]
Language = Literal["en", "de"]
"""Languages of portal and worker's page: each has its words in `ui/languages`."""
EncoderName = Literal["efficientnet-lite0", "pixels"]
"""Encoders that a run makes embeddings with by itself; the function has the first one's weights."""
Classifier = Literal["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]

SET_KINDS = ("multi",)
"""Kinds of task whose images have any number of labels."""
BOX_KINDS = ("verify", "boxes")
"""Kinds of task whose images are boxes on pictures."""
BOX_ATTRIBUTE = "bounding-box"
"""Key of the boxes where settings name none: the one that Ground Truth's own examples have."""
VERIFY_LABELS, VERIFY_ESCAPE = ("yes", "no"), "cannot tell"
"""Answers to whether a box shows what it says, where settings name none: the first confirms it."""
VERIFY_QUESTION = "Is this what the box says?"

# Both patterns are those of CreateLabelingJob: WorkteamArn and LabelAttributeName.
WORK_TEAM = r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:workteam/.+"
ATTRIBUTE = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}"
EMBEDDINGS = r"^s3://[^/]+/.+\.npy$"
LAMBDA_ARN = r"^arn:aws[a-z\-]*:lambda:[a-z0-9\-]+:[0-9]{12}:function:[A-Za-z0-9\-_.:$/]+$"
"""CreateLabelingJob's pattern for the ARN of a pre- or post-annotation Lambda."""
CUSTOM_QUESTION = "Follow the instructions on the page."
"""Question of a custom task that has none: the title of its job."""
TEAM_NAME = r"^[A-Za-z0-9_.:/=+@-]{1,128}$"
"""Names that both a group of Cognito and the value of a tag may have, without blanks."""
OFFER_TO = r"^(anyone|upper half|best of [2-9])$"
PORTAL = "portal"
"""Workforce that is no team of Ground Truth's: whoever works on the portal."""
PUBLIC_TEAM = "394669845002:workteam/public-crowd/"
"""Account and name that the ARN of Ground Truth's public team has in every region."""
DECEIVING = frozenset("\u200b\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Invisible characters that show a label as another one, or turn what follows around."""
STOPPING = ("stop_after_pages", "stop_after_percent")
"""Settings that only Ground Truth can follow."""


KNOWN_PICTURES = ("practice", "qualification")
"""Settings that name pictures beside the manifest, each with its label."""
MOST_PRACTICE = 20
"""Pictures to practice on: one page of the usual length, a minute's work that nobody pays twice."""
MIN_QUALIFICATION = 5
"""Pictures of a qualification at least: of two labels, guessing gets four of five right once in
five, and eight of ten once in eighteen."""
PRACTICE_PICTURE = re.compile(r"(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))(?!.*:)[^\n\r]+")
"""Place of a picture beside the manifest: no address, and no way out of the folder."""

LONGEST_INSTRUCTIONS = 20_000
"""Characters of instructions. Ground Truth takes pages of 128,000, labels and tiles among them."""

MIN_SEED_IMAGES = 100
"""Images of a model's seed at least: one of fewer seldom knows anything (docs/guesses.md)."""


class OfKind:
    """Record of something that has a kind of task, by which it says what its images have."""

    __slots__ = ()
    task: TaskKind

    @property
    def is_custom(self) -> bool:
        """Return whether tasks are lines of any form, on a page of the project's own."""
        return self.task == "custom"

    @property
    def is_multi(self) -> bool:
        """Return whether an image has all labels that fit, or none, instead of one."""
        return self.task in SET_KINDS

    @property
    def has_boxes(self) -> bool:
        """Return whether an image is a box on a picture, of which a line may have several."""
        return self.task in BOX_KINDS


class GuessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the rounds of a run whose images a model guesses, learning from the answers."""

    # A key that comes later must be unset by default: these are written into run names as they are.
    # A fifth with two answers each is what all measured policies began with (docs/guesses.md).
    seed: Annotated[
        float, Meta(gt=0, le=1, description="Share of the images asked in the first round")
    ] = 0.2
    least: Annotated[
        int, Meta(ge=0, le=1, description="Answers that every image gets, however sure the model")
    ] = 1
    encoder: (
        Annotated[
            EncoderName,
            Meta(
                description="What makes the embeddings while the first round is answered, where "
                "none lie beside the manifest: a small network, or the pixels as they are"
            ),
        ]
        | UnsetType
    ) = UNSET


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the audit of images that a model labels and nobody was asked about."""

    # 300 tell an accuracy of 97 % to two points either way (docs/decisions/guesses-audit.md).
    images: Annotated[
        int, Meta(ge=50, le=10_000, description="Images asked although the model is sure")
    ] = 300
    right: Annotated[
        float, Meta(ge=0, le=1, description="Share of them that the model must have right")
    ] = 0.95


class Settings(msgspec.Struct, OfKind, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one run: how its images are put to workers, and what becomes of the answers."""

    # Descriptions are read in the JSON Schema and in docs/manifests.md. A new setting needs a
    # default that leaves runs as they were without it; `name_basis` keeps their names.

    labels: Annotated[
        tuple[Label, ...],
        Meta(
            max_length=50,  # at least two, but of a custom task; one will do for `multi`
            extra_json_schema={"minItems": 1},
            description="The answers to choose from, all different, at least two (one will do for "
            "`multi`); a class's number is its place in this list. A Ground Truth label category "
            "file is taken too, here or as the whole `labeling.json`",
        ),
    ]
    question: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description="What the worker is asked about each image",
            extra={"default": "made from the labels"},
        ),
    ]
    instructions: Annotated[
        str,
        Meta(
            max_length=LONGEST_INSTRUCTIONS,
            description="How to answer, in Markdown",
            extra={"default": "`instructions.md` beside the manifest, if there is one"},
        ),
    ]
    label_attribute: Annotated[
        str,
        Meta(
            description="The label's key in the training manifest: letters, digits and inner "
            "hyphens; not ending in `-metadata` or `-ref`, and no key that means something there",
            extra_json_schema={"maxLength": 127, "pattern": f"^{ATTRIBUTE}$"},
        ),
    ] = "label"
    # Twenty is what the post measured: 2.52 s an image instead of 8.1 alone, and little to gain
    # beyond (docs/decisions/operator-one-by-one.md). They fit one screen without scrolling.
    images_per_task: Annotated[
        int, Meta(ge=1, le=100, description="Images on a page, gold images among them")
    ] = 20
    order: Annotated[Order, Meta(description="How images are dealt to pages")] = "spread"
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**53 - 1,  # the largest whole number that every reader of JSON keeps exactly
            description="What a shuffle and the places of gold images follow",
        ),
    ] = 0
    # Two answers, and a third where it gains: 2.29 an image within 0.4 points of three for everyone
    # (docs/rounds.md; the threshold: docs/decisions/consensus-expected-gain.md).
    answers_per_image: Annotated[
        int, Meta(ge=1, le=9, description="Workers asked in the first round")
    ] = 2
    max_answers: Annotated[
        int,
        Meta(
            ge=1,
            le=9,
            description="Answers to an image over all rounds, at most",
            extra={"default": "3, or `answers_per_image` if that is more"},
        ),
    ] = 3
    gain: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Ask again where one more answer is expected to gain more than this",
        ),
    ] = 0.05
    method: Annotated[Method, Meta(description="How answers become a label")] = DEFAULT_METHOD
    unreadable: Annotated[
        Label | None,
        Meta(
            description="The answer for an image that cannot be judged; no class in training",
            extra={
                "default": "`invalid image` or `cannot see` if among the labels, else "
                "`cannot see` is added"
            },
        ),
    ] = None
    gold_per_task: Annotated[
        int, Meta(ge=0, le=99, description="Gold images on each page, from lines with `gold`")
    ] = 0
    workforce: Annotated[
        str,
        Meta(
            description="`portal`, or the ARN of a Ground Truth work team. The public team's "
            "marketplace closed on 30 September 2026; `estimate`, `drop` and `deploy` warn of it",
            extra_json_schema={"pattern": f"^(portal|{WORK_TEAM})$"},
        ),
    ] = PORTAL
    stop_below: (
        Annotated[
            StopBelow,
            Meta(
                description="On the portal, with `gold_per_task`: who is surely `right` less often "
                "than this on gold images, of which they answered at least `gold` (12), gets no "
                "more pages of the job; their answers are kept and weighed as known",
                extra={"default": "none: nobody is stopped", "values": "`right` and `gold`"},
            ),
        ]
        | UnsetType
    ) = UNSET
    # Unset, as below: jobs for everybody have no tag of a team.
    team: (
        Annotated[
            str,
            Meta(
                pattern=TEAM_NAME,
                description="On the portal: the team whose members alone see the jobs "
                "(`tessera workers add --team`)",
                extra={"default": "none: every worker sees them"},
            ),
        ]
        | UnsetType
    ) = UNSET
    practice: (
        Annotated[
            dict[str, Label],
            Meta(
                min_length=1,
                max_length=MOST_PRACTICE,
                description="Pictures that workers practice on before their first page, each with "
                'its label: `{"practice/cat/1.jpg": "cat"}`, by their place beside the manifest',
                extra={
                    "default": "those under `practice/LABEL/` beside the manifest, if any",
                    "values": f"1 to {MOST_PRACTICE} pictures",
                },
            ),
        ]
        | UnsetType
    ) = UNSET
    qualify: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=1,
                description="On the portal: who has not labeled this share of the pictures of "
                "`qualification` as known gets no page of the project "
                "([qualification](manifests.md#a-qualification))",
                extra={"default": "none: nobody is tested", "values": "above 0, up to 1"},
            ),
        ]
        | UnsetType
    ) = UNSET
    qualification: (
        Annotated[
            dict[str, Label],
            Meta(
                min_length=MIN_QUALIFICATION,
                max_length=MOST_PRACTICE,
                description="With `qualify`: its pictures, each with its label, as for `practice`",
                extra={
                    "default": "those under `qualification/LABEL/` beside the manifest",
                    "values": f"{MIN_QUALIFICATION} to {MOST_PRACTICE} pictures",
                },
            ),
        ]
        | UnsetType
    ) = UNSET
    language: (
        Annotated[
            Language,
            Meta(
                description="Language of the worker's page, of all but what you write yourself",
                extra={"default": "the browser's if Tessera speaks it, else English"},
            ),
        ]
        | UnsetType
    ) = UNSET
    task: Annotated[
        TaskKind,
        Meta(
            description="`tiles`: pages of many images, each with one of the labels. `multi`: the "
            "same pages, where an image has all labels that fit, or none "
            "([several labels](multi-label.md)). `verify`: whether each box on a picture shows "
            "what it says; `boxes`: which label it has ([boxes](boxes.md)). `custom`: one "
            "task a line on a page of your own, as Ground Truth's custom tasks are "
            "([custom tasks](from-ground-truth.md)); it needs no labels"
        ),
    ] = "tiles"
    box_attribute: (
        Annotated[
            str,
            Meta(
                pattern=f"^{ATTRIBUTE}$",
                description="With `verify` and `boxes`: the key of a line's boxes, with their "
                "metadata under the same key and `-metadata`",
                extra={"default": "`bounding-box`"},
            ),
        ]
        | UnsetType
    ) = UNSET
    pre_annotation: (
        Annotated[
            str,
            Meta(
                pattern=LAMBDA_ARN,
                max_length=2048,
                description="With `custom`: ARN of the Lambda that makes `task.input` of a line",
                extra={"default": "none: it is the line itself"},
            ),
        ]
        | UnsetType
    ) = UNSET
    post_annotation: (
        Annotated[
            str,
            Meta(
                pattern=LAMBDA_ARN,
                max_length=2048,
                description="With `custom`: ARN of the Lambda that makes labels of the answers",
                extra={"default": "none: lines name their answers"},
            ),
        ]
        | UnsetType
    ) = UNSET
    page: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9a-f]{16}$",
                description="Digest of `page.liquid.html` beside the manifest; Tessera sets it, so "
                "that another page is another run",
                extra={"default": "none: the stack's page"},
            ),
        ]
        | UnsetType
    ) = UNSET
    # Half an hour is many times the 50 seconds that a page takes, so that nobody loses one to a
    # break; ten days outlast a week's holiday, and Ground Truth takes no more than thirty.
    task_minutes: Annotated[
        int, Meta(ge=1, le=480, description="Minutes that a worker has for one page")
    ] = 30
    job_days: Annotated[
        int,
        Meta(
            ge=1,
            le=30,
            description="Days that a job stays open; half a day at most with the public team",
        ),
    ] = 10
    # One bad line in ten is a manifest made wrongly, and labeling the rest would be paid twice.
    bad_lines: Annotated[
        float, Meta(ge=0, le=1, description="Share of bad lines above which nothing is asked")
    ] = 0.1
    repeats: Annotated[
        Repeats, Meta(description="How often an image that is on several lines is asked")
    ] = "once"
    content_classifiers: Annotated[
        tuple[Classifier, ...],
        Meta(
            description="What the images are declared to be; the public team needs the first",
            extra={"default": "none"},
        ),
    ] = ()
    # Unset rather than null: a setting that is not given leaves no key in run.json and report.json.
    stop_after_pages: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="With a Ground Truth team: each job is stopped after so many labeled "
                "pages (`MaxHumanLabeledObjectCount`), which caps what it costs",
                extra={"default": "none"},
            ),
        ]
        | UnsetType
    ) = UNSET
    stop_after_percent: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=100,
                description="With a Ground Truth team: each job is stopped after this percentage "
                "of its pages (`MaxPercentageOfInputDatasetLabeled`)",
                extra={"default": "none"},
            ),
        ]
        | UnsetType
    ) = UNSET
    guesses: (
        Annotated[
            GuessSettings,
            Meta(
                description="A model learns from the answers and spares people some: `seed`, the "
                "share of the images asked in the first round (0.2), and `least`, the answers that "
                "every image gets at least, 1 or 0 ([guesses](guesses.md))",
                extra={"default": "none: no model", "values": "`seed` and `least`"},
            ),
        ]
        | UnsetType
    ) = UNSET
    audit: (
        Annotated[
            AuditSettings,
            Meta(
                description="With `least` 0: `images` that are asked although the model is sure "
                "(300), and the share of them that it must have `right` (0.95), or the rest is "
                "asked",
                extra={"default": "300 and 0.95", "values": "`images` and `right`"},
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def audited(self) -> AuditSettings | None:
        """Return how images that only a model labels are audited, or None if there are none."""
        if self.guesses is UNSET or self.guesses.least:
            return None
        return AuditSettings() if self.audit is UNSET else self.audit

    shares: (
        Annotated[
            dict[str, float] | Literal["gold"],
            Meta(
                description="Labels' shares of all images, where you know them about: "
                '`{"ok": 0.95}`; labels without one share the rest. `"gold"` takes them from the '
                "gold images, if those were drawn at random ([consolidation](consolidation.md))",
                extra={
                    "default": "none: told by the votes",
                    "values": "shares by label, or `gold`",
                },
            ),
        ]
        | UnsetType
    ) = UNSET

    # Off by default: it is data about people, which outlives a run.
    remember_workers: Annotated[
        bool,
        Meta(
            description="Whether what answers tell of workers is kept for the project's next runs, "
            "and what was kept is used ([operations](operations.md))"
        ),
    ] = False

    # Why these, and what they cost in time: docs/decisions/first-offers.md.
    offer_to: Annotated[
        str,
        Meta(
            pattern=OFFER_TO,
            description="On the portal, to whom pages of later rounds are offered first: `anyone`, "
            "those of the `upper half` of who may take it, by how likely they are right about its "
            "images, or the `best of 3` (any number up to 9), which is the third of them who are "
            "likeliest",
            extra={"values": "`anyone`, `upper half`, `best of 2` to `best of 9`"},
        ),
    ] = "anyone"
    offer_minutes: Annotated[
        int, Meta(ge=1, le=1440, description="Minutes after which a page is for anyone")
    ] = 10
    offer_first_round: Annotated[
        bool,
        Meta(
            description="With `remember_workers`: whether pages of the first round are offered so, "
            "too, by what earlier runs tell of workers"
        ),
    ] = False

    @property
    def offer_share(self) -> float:
        """Return the share of people whom a page is offered to first; 0 if it is for anyone.

        >>> read_settings(b'{"labels": ["a", "b"], "offer_to": "best of 4"}').offer_share
        0.25
        """
        if self.offer_to == "anyone" or not self.on_portal or self.is_custom:
            return 0.0
        return 0.5 if self.offer_to == "upper half" else 1 / int(self.offer_to.split()[-1])

    # Both off: that slow answers are worse is known of public crowds who had one image a page, and
    # a run's own gold has to say it (docs/decisions/consensus-seconds.md).
    weigh_seconds: Annotated[
        bool,
        Meta(
            description="Whether an answer that took its worker longer than they usually take is "
            "believed less; the report says whether slow answers are worse "
            "([consolidation](consolidation.md))"
        ),
    ] = False
    ask_slowest: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="With `answers_per_image` 1: share of the answers, the slowest of each "
            "worker, that are asked of a second; a third is asked by `gain`",
            extra={"default": "0: all by `gain`"},
        ),
    ] = 0.0

    # The embeddings beside a manifest need no setting: what is there is used.
    embeddings: (
        Annotated[
            str,
            Meta(
                max_length=1200,
                pattern=EMBEDDINGS,
                description="Address in S3 of the images' embeddings, a NumPy array with one row a "
                "line of the manifest",
                extra={"default": "`NAME.embeddings.npy` beside the manifest, if there is one"},
            ),
        ]
        | UnsetType
    ) = UNSET

    # Off by default: how near is near enough depends on the encoder, and a wrong bound leaves
    # images unasked.
    near_repeats: (
        Annotated[
            float,
            Meta(
                ge=0.5,
                le=1,
                description="Cosine of two embeddings from which on an image is asked once with "
                "one of the 4,096 before it, and labeled alike",
                extra={"default": "none: only the same image is asked once"},
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def on_portal(self) -> bool:
        """Return whether the portal asks people, and no team of Ground Truth's."""
        return self.workforce == PORTAL

    @property
    def own_encoder(self) -> str | None:
        """Return the encoder by which a run embeds its pictures itself, or None if it does not."""
        return None if self.guesses is UNSET else self.guesses.encoder or None

    @property
    def box_key(self) -> str:
        """Return the key of a line's boxes."""
        return self.box_attribute or BOX_ATTRIBUTE

    @property
    def escape(self) -> str:
        """Return the answer for an image that cannot be judged or does not load."""
        if self.unreadable is not None:
            return self.unreadable
        return next((label for name in ESCAPES for label in self.labels if label == name), ESCAPE)

    @property
    def choices(self) -> tuple[str, ...]:
        """Return what the page offers: the labels, then the escape if it is not one of them."""
        return self.labels if self.escape in self.labels else (*self.labels, self.escape)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return what training knows: the labels without the escape."""
        return tuple(label for label in self.labels if label != self.escape)


ALWAYS_IN_NAME = (
    "labels", "question", "instructions", "label_attribute", "images_per_task", "order", "seed",
    "answers_per_image", "max_answers", "gain", "method", "unreadable", "gold_per_task",
    "workforce", "task_minutes", "job_days", "bad_lines", "repeats", "content_classifiers",
)  # fmt: skip
"""Settings that name a run even at their defaults, in the order that they are hashed in.

Never to be changed: it would rename every run there is. A setting that came later is not here.
"""


@cache  # msgspec evaluates all annotations each time, and an event reads settings several times
def setting_fields(version: type[Settings] = Settings) -> dict[str, FieldInfo]:
    """Return what is declared about each setting, by its name."""
    return {field.name: field for field in msgspec.structs.fields(version)}


def setting_defaults(version: type[Settings] = Settings) -> dict[str, Any]:
    """Return each setting's default, by its name."""
    return {name: field.default for name, field in setting_fields(version).items()}


def name_basis(settings: Settings) -> bytes:
    """Return the JSON that names a run: the same settings are the same bytes, in every version.

    A manifest that is dropped again finds its run by its name, and a run that is not found is
    labeled and paid for again. So a setting that came after `ALWAYS_IN_NAME` counts only where it
    differs from its default, and the runs of everybody who does not use it keep their names.
    """
    defaults = setting_defaults(type(settings))
    later = sorted(
        name
        for name in defaults.keys() - set(ALWAYS_IN_NAME)
        if getattr(settings, name) != defaults[name]
    )
    return msgspec.json.encode(
        {name: getattr(settings, name) for name in [*ALWAYS_IN_NAME, *later]}
    )


def read_settings(raw: bytes) -> Settings:
    """Return the settings in a `labeling.json` or a Ground Truth label category file.

    Raises SettingsInvalid with every problem at once, as LabelsMissing or LabelAttributeIllegal
    where that is the only kind.

    >>> read_settings(b'{"labels": ["cat", "dog"]}').question
    'Is this cat or dog?'
    """
    if len(raw) > LONGEST_SETTINGS:
        raise SettingsInvalid([f"the settings are longer than {LONGEST_SETTINGS:,} bytes"])
    try:
        record = decode_json(raw)
    except ValueError as error:
        raise SettingsInvalid([f"the settings are not JSON: {error}"]) from error
    if not isinstance(record, dict):
        raise SettingsInvalid(["the settings are not a JSON object"])
    return settings_from(record)


def settings_from(record: dict[str, Any]) -> Settings:
    """Return the settings in a JSON object after every key has been checked; raises as above."""
    values = {key: value for key, value in record.items() if key not in FILE_KEYS}
    values["labels"] = _category_names(values.get("labels"))
    if isinstance(values.get("unreadable"), str):
        values["unreadable"] = normal_text(values["unreadable"])
    for key in KNOWN_PICTURES:
        if isinstance(values.get(key), dict):  # sorted: order is no difference between runs
            values[key] = {
                picture: normal_text(label) if isinstance(label, str) else label
                for picture, label in sorted(values[key].items())
            }
    if isinstance(values.get("shares"), dict):
        values["shares"] = {
            normal_text(label): share for label, share in sorted(values["shares"].items())
        }
    if values.get("task") == "custom" and not values["labels"]:
        values["labels"] = []
        values.setdefault("question", CUSTOM_QUESTION)
    elif not values["labels"] and values.get("task") == "verify":
        values["labels"] = list(VERIFY_LABELS)
        values.setdefault("unreadable", VERIFY_ESCAPE)
    elif not values["labels"]:
        others = {key.lower(): key for key in values if key != "labels"}
        near = get_close_matches("labels", others, n=1)
        hint = f"; is {others[near[0]]} meant?" if near else ""
        raise LabelsMissing([f"labels: missing; name 2 to 50 answers to choose from{hint}"])
    problems = list(_problems(values))
    if problems:
        attribute_alone = all(problem.startswith("label_attribute:") for problem in problems)
        raise (LabelAttributeIllegal if attribute_alone else SettingsInvalid)(problems)
    values.setdefault("question", question_of(_value(values, "task"), values["labels"]))
    values.setdefault("instructions", "")
    values.setdefault(
        "max_answers", max(_value(values, "max_answers"), _value(values, "answers_per_image"))
    )
    return msgspec.convert(values, Settings)


def warnings(settings: Settings) -> tuple[str, ...]:
    """Return what a person should know about valid settings before anybody is asked.

    >>> warnings(read_settings(b'{"labels": ["cat", "dog"]}'))
    ()
    """
    if PUBLIC_TEAM not in settings.workforce:
        return ()
    return (
        "workforce: the public team's marketplace, Amazon Mechanical Turk, closed on 30 September "
        "2026, so jobs for it are refused or find nobody. Name a private or a vendor team, or "
        "portal. Where it is still open to you, set the stack's PublicPrice",
    )


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of `labeling.json`, for editors to complete and check by."""
    record = msgspec.json.schema(Settings)["$defs"]["Settings"]
    names = record["properties"]["labels"]
    description, name = names.pop("description"), names.pop("items")
    category = {
        "type": "object",
        "properties": {"label": name},
        "required": ["label"],
        "additionalProperties": True,
    }
    definitions = msgspec.json.schema(Settings)["$defs"]
    # spelled out, since editors show no description of a $ref
    for key in ("guesses", "audit", "stop_below"):
        place = record["properties"][key]
        inner = definitions[place.pop("$ref").rpartition("/")[2]]
        place |= {part: inner[part] for part in ("type", "properties", "additionalProperties")}
    names |= {"items": {"anyOf": [name, category]}, "uniqueItems": True}
    file = {"type": "object", "properties": {"labels": {**names}}, "required": ["labels"]}
    record["properties"] |= {
        "labels": {"description": description, "anyOf": [names, file]},
        "$schema": {"type": "string"},
        "document-version": {"description": "As label category files have it", "type": "string"},
    }
    # The record must have these; a file need not, because they are made from the labels, and a
    # custom task needs no labels either, nor has one that verifies boxes to name yes and no.
    for optional in ("question", "instructions", "labels"):
        record["required"].remove(optional)
    custom = {"properties": {"task": {"enum": ["verify", "custom"]}}, "required": ["task"]}
    record |= {"anyOf": [{"required": ["labels"]}, custom]}
    # Images that have one label or not are a task; one label to choose from is none.
    multi = {"properties": {"task": {"enum": list(SET_KINDS)}}, "required": ["task"]}
    two = {"properties": {"labels": {"minItems": 2}}}
    record |= {"if": {"not": multi}, "then": two}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "labeling.json: how the images of a manifest are labeled",
        **{key: value for key, value in record.items() if key != "title"},
    }


def _category_names(labels: Any) -> Any:
    """Return the names in a list of labels, plain or as a label category file has them."""
    if isinstance(labels, dict) and "labels" in labels:
        labels = labels["labels"]
    if not isinstance(labels, list):
        return labels
    names = [
        entry["label"] if isinstance(entry, dict) and "label" in entry else entry
        for entry in labels
    ]
    return [normal_text(name) if isinstance(name, str) else name for name in names]


def default_question(labels: list[str]) -> str:
    """Return a question that names the labels, or a general one if they are too many for a line."""
    names = [label for label in labels if label not in ESCAPES] or labels
    text = f"Is this {', '.join(names[:-1])} or {names[-1]}?" if len(names) > 1 else ""
    return text if 0 < len(text) <= LONGEST_QUESTION else "Which label fits this image?"


def question_of(task: str, labels: list[str]) -> str:
    """Return the question of a kind of task, where the settings have none.

    >>> question_of("verify", ["yes", "no"])
    'Is this what the box says?'
    """
    if task == "verify":
        return VERIFY_QUESTION
    return (multi_question if task in SET_KINDS else default_question)(labels)


def multi_question(labels: list[str]) -> str:
    """Return a question for all labels that fit; of one label, for the images that have it.

    >>> multi_question(["cat", "dog", "bird"]), multi_question(["dog"])
    ('Which of these fit: cat, dog, bird?', 'Which images show dog?')
    """
    names = [label for label in labels if label not in ESCAPES] or labels
    few = f"Which of these fit: {', '.join(names)}?"
    text = few if len(names) > 1 else f"Which images show {names[0]}?"
    return text if len(text) <= LONGEST_QUESTION else "Which labels fit this image?"


def _problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for everything that is wrong, key by key, then across keys."""
    fields = setting_fields()
    for key, value in values.items():
        if key not in fields:
            near = get_close_matches(key, fields, n=1)
            yield f"{key}: unknown key" + (f", did you mean {near[0]}?" if near else "")
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            yield f"{key}: {_explain(value, fields[key].type, str(error))}"
            continue
        yield from _value_problems(key, value)
    yield from _combination_problems(values)


def base_and_meta(kind: Any) -> tuple[Any, Meta]:
    """Return the plain type of a setting's annotation and what is declared about it."""
    if get_origin(kind) is not Annotated:  # one that may be unset
        kind = next(part for part in get_args(kind) if get_origin(part) is Annotated)
    base, meta = get_args(kind)
    return base, meta


def _explain(value: Any, kind: Any, error: str) -> str:
    """Return what is wrong with a value of the wrong type, in words that say what to write."""
    text = msgspec.json.encode(value).decode()
    text = text if len(text) <= 80 else text[:77] + "..."
    base, meta = base_and_meta(kind)
    if get_origin(base) is Literal:
        near = get_close_matches(str(value), get_args(base), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{text} is none of {', '.join(get_args(base))}{hint}"
    if out_of_bounds := _out_of_bounds(value, text, meta):
        return out_of_bounds
    return f"{text} is not a whole number" if base is int else f"{text} cannot be used ({error})"


def _out_of_bounds(value: Any, text: str, meta: Meta) -> str:
    """Return which declared bound a number or a length breaks, or nothing."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if meta.ge is not None and value < meta.ge:
            return f"{text} is below {meta.ge}"
        if meta.le is not None and value > meta.le:
            return f"{text} is above {meta.le}"
    if isinstance(value, list | str | dict):
        if meta.max_length and len(value) > meta.max_length:
            return f"{len(value)} is more than {meta.max_length} allowed"
        if meta.min_length and len(value) < meta.min_length:
            return f"{text} is fewer than the {meta.min_length} needed"
    return ""


def _value_problems(key: str, value: Any) -> Iterator[str]:
    """Yield what no type can express about one value."""
    if key == "labels":
        for label in value:
            if label != label.strip() or any(map(_cannot_be_shown, label)):
                yield f"labels: {label!r} has spaces around it or characters that cannot be shown"
        yield from _alike(value)
    elif key == "label_attribute":
        yield from _attribute_problems(value)
    elif key == "workforce" and value != PORTAL and not re.fullmatch(WORK_TEAM, value):
        yield f"workforce: {value!r} is neither portal nor the ARN of a work team"


def normal_text(text: str) -> str:
    """Return a text with each character spelled in one way, as every door reads labels.

    macOS takes names of files apart, so that the same "é" comes as one character or as two.

    >>> normal_text("cafe\\u0301") == "caf\\u00e9"
    True
    """
    return unicodedata.normalize("NFC", text)


def _alike(labels: list[str]) -> Iterator[str]:
    """Yield labels that are there twice, or that a worker could not tell apart."""
    for label in sorted({label for label in labels if labels.count(label) > 1}):
        yield f"labels: {label!r} is there more than once"
    first_spelling: dict[str, str] = {}
    for label in dict.fromkeys(labels):
        other = first_spelling.setdefault(likeness(label), label)
        if other != label:
            yield f"labels: {other!r} and {label!r} look alike; name them apart"


LOOKALIKES = str.maketrans(
    "авеікмнорстухһјѕԁԛԝαβεικνορτυχ",
    "abeikmhopctyxhjsdqwabeikvoptux",
)
"""Small letters of Cyrillic and Greek that look like Latin ones, small or large, in most fonts: a
table of our own, since the whole of Unicode's (UTS 39) also takes l for 1 and rn for m, which
labels may differ by."""


def likeness(label: str) -> str:
    """Return what a label looks like: width, case, alphabet and what is invisible do not count.

    >>> likeness("C\u0430t") == likeness("cat")
    True
    """
    visible = "".join(letter for letter in label if unicodedata.category(letter) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return folded.translate(LOOKALIKES)


def _cannot_be_shown(character: str) -> bool:
    """Return whether a character has no place in a label.

    Joiners, which Persian and Hindi write words with, and wide spaces have one.
    """
    if character in DECEIVING:
        return True
    return unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def _attribute_problems(name: str) -> Iterator[str]:
    if not re.fullmatch(ATTRIBUTE, name):
        yield f"label_attribute: {name!r} is not 1 to 127 letters, digits and inner hyphens"
    elif name.endswith(("-metadata", "-ref")):
        yield f"label_attribute: {name!r} ends in -metadata or -ref, which labeling jobs keep"
    elif name in RESERVED_KEYS:
        yield f"label_attribute: {name!r} has a meaning of its own in a manifest"


def _value(values: dict[str, Any], key: str) -> Any:
    """Return the value of a setting, or its default where a file does not name it."""
    return values.get(key, setting_fields()[key].default)


def _on_portal(values: dict[str, Any]) -> bool:
    """Return whether the portal asks people, and no team of Ground Truth's."""
    return bool(_value(values, "workforce") == PORTAL)


def _guess_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what does not go together with a model that learns from the answers."""
    guesses = values.get("guesses")
    if not isinstance(guesses, dict):
        if "audit" in values:
            yield 'audit: this is for "guesses": {"least": 0}, where images may go unasked'
        return
    if "audit" in values and guesses.get("least", 1) != 0:
        yield 'audit: no image goes unasked; set "guesses": {"least": 0}, or leave it out'
    if _value(values, "method") != DEFAULT_METHOD:
        yield f"guesses: method {values['method']} takes no guesses; {DEFAULT_METHOD} does"
    if _value(values, "answers_per_image") == 1:
        yield (
            "guesses: answers_per_image is 1, and single answers do not tell how good they are; "
            "set it to 2, which holds for the first round alone"
        )
    if values.get("order") == "by-prelabel":
        yield f"guesses: order is by-prelabel. {SHOWN_AND_WEIGHED}"


SHOWN_AND_WEIGHED = (
    "A guess is shown to workers or weighed beside their answers, never both: they let wrong ones "
    "stand, which then count twice, and no figure tells (docs/guesses.md). Leave out prelabels, or "
    "guesses"
)
"""Why settings or a manifest that would do both are refused: simulated, with 30 % of contradictions
swallowed, 93.3 % right labels became 85.2 %."""


def _known_picture_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the pictures to practice on, and those of the qualification."""
    labels = values.get("labels")
    if not isinstance(labels, list | tuple):
        return
    choices = [*map(str, labels), str(values.get("unreadable") or ESCAPE)]
    for key in KNOWN_PICTURES:
        pictures = values.get(key)
        if not isinstance(pictures, dict):
            continue
        if not _on_portal(values):
            yield (
                f"{key}: the portal alone shows a {key} page; with a Ground Truth team take the "
                f"folder {key}/ away, or name it in another way"
            )
        for picture, label in pictures.items():
            if not PRACTICE_PICTURE.fullmatch(picture):
                yield f"{key}: {picture!r} is no place beside the manifest, as {key}/cat/1.jpg is"
            if label not in choices:
                near = get_close_matches(str(label), choices, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                yield f"{key}: {picture} is a {label!r}, which is none of the labels{hint}"


def _qualify_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what does not go together with a qualification."""
    if "qualify" not in values:
        if "qualification" in values:
            yield 'qualification: say how many must be right, as "qualify": 0.8, or leave it out'
    elif not _on_portal(values):
        yield "qualify: only the portal tests workers; leave it out with a Ground Truth team"


def _share_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the shares of the labels."""
    shares, labels = values.get("shares"), values.get("labels")
    if shares is None or not isinstance(labels, list | tuple):
        return
    if _value(values, "method") != DEFAULT_METHOD:
        yield f"shares: method {values['method']} takes no shares; {DEFAULT_METHOD} does"
    numbers = isinstance(shares, dict) and all(
        isinstance(share, int | float) and not isinstance(share, bool) for share in shares.values()
    )
    if numbers:
        classes = [str(label) for label in labels if label not in _escapes(values)]
        for problem in share_problems(shares, classes):
            yield f"shares: {problem}"


WITH_CUSTOM = frozenset({
    "labels", "question", "label_attribute", "answers_per_image", "max_answers", "team",
    "workforce", "task_minutes", "job_days", "bad_lines", "task", "pre_annotation",
    "post_annotation", "page",
})  # fmt: skip
"""Settings of a custom task: what a page shows and what becomes of answers is its own affair."""


def _custom_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what does not go together with the kind of task."""
    if _value(values, "task") != "custom":
        for key in ("pre_annotation", "post_annotation"):
            if key in values:
                yield f'{key}: this is for custom tasks; set "task": "custom", or leave it out'
        return
    if not _on_portal(values):
        yield (
            "workforce: custom tasks are for the portal; for a Ground Truth team create the "
            "labeling job in SageMaker, which takes template and functions as they are"
        )
    for key in sorted(_not_at_default(values) - WITH_CUSTOM):
        yield f"{key}: a custom task has none of this; leave it out"


def _not_at_default(values: dict[str, Any]) -> set[str]:
    """Return the keys of settings that have another value than their default."""
    defaults = setting_defaults() | {"instructions": ""}
    # By value: a run's record has every setting, those at their defaults, too.
    return {
        key
        for key in values.keys() & defaults.keys()
        if values[key] not in (defaults[key], [] if defaults[key] == () else defaults[key])
    }


WITHOUT_MULTI = (
    "guesses", "audit", "shares", "gold_per_task", "stop_below", "practice", "remember_workers",
    "stop_after_pages", "stop_after_percent", "content_classifiers", "offer_to", "offer_minutes",
    "offer_first_round", "qualify", "qualification",
)  # fmt: skip
"""Settings that a multi-label run does not follow: refused rather than passed over in silence."""


def _multi_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what does not go together with several labels an image."""
    labels = values.get("labels")
    if _value(values, "task") not in SET_KINDS:
        if isinstance(labels, list | tuple) and len(labels) == 1:
            yield (
                f"labels: {msgspec.json.encode(labels).decode()} is fewer than the 2 needed; for "
                'the images that have this one, set "task": "multi"'
            )
        return
    if labels and not [label for label in labels if label not in _escapes(values)]:
        yield "labels: there is none but the answer for an image that cannot be judged"
    without = _not_at_default(values)
    for key in [key for key in WITHOUT_MULTI if key in without]:
        yield f"{key}: a multi-label task has none of this; leave it out"
    if values.get("order") == "by-prelabel":
        yield "order: by-prelabel is for one label an image; leave it out, or set similar"
    if not _on_portal(values):
        yield (
            "workforce: multi-label tasks are for the portal; for a Ground Truth team create an "
            "image classification (multi-label) job in SageMaker"
        )


WITHOUT_BOXES = (
    "guesses", "audit", "near_repeats", "embeddings", "practice", "qualify", "qualification",
)  # fmt: skip
"""Settings that go by whole pictures, which runs of boxes do not follow."""


def _box_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what does not go together with boxes on pictures."""
    if (task := _value(values, "task")) not in BOX_KINDS:
        if "box_attribute" in values:
            yield 'box_attribute: this is for boxes; set "task": "verify", or leave it out'
        return
    for key in [key for key in WITHOUT_BOXES if key in values]:
        yield f"{key}: this goes by whole pictures, not by boxes on them; leave it out"
    if values.get("order") == "similar":
        yield "order: similar compares whole pictures, not boxes on them; leave it out"
    boxes = values.get("box_attribute", BOX_ATTRIBUTE)
    if _value(values, "label_attribute") in ("box", boxes, f"{boxes}-metadata"):
        yield "label_attribute: boxes are under this key; name another for their labels"
    labels = values.get("labels")
    if task == "verify" and isinstance(labels, list | tuple):
        classes = [label for label in labels if label not in _escapes(values)]
        if len(classes) != 2:
            yield (
                f"labels: {len(classes)} answers, but a box is confirmed or refused: name two, the "
                "one that confirms it first, or none, for yes and no"
            )


def _escapes(values: dict[str, Any]) -> set[Any]:
    """Return the names under which a label is the answer for an image that cannot be judged."""
    return {values["unreadable"]} if values.get("unreadable") else set(ESCAPES)


def _stop_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the bound below which workers are stopped."""
    if not isinstance(values.get("stop_below"), dict):
        return
    if not values.get("gold_per_task"):
        yield "stop_below: gold images tell who is below; set gold_per_task, or leave it out"
    if not _on_portal(values):
        yield "stop_below: only the portal stops a worker; leave it out with a Ground Truth team"


def _offer_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with whom pages are offered to first."""
    if values.get("offer_first_round") is True and not values.get("remember_workers"):
        yield (
            "offer_first_round: before its answers a run knows nobody; set remember_workers, which "
            "keeps what earlier runs tell, or leave it out"
        )
    if _value(values, "offer_to") == "anyone":
        return
    if not _on_portal(values):
        yield "offer_to: only the portal offers pages; leave it out with a Ground Truth team"
    if _value(values, "method") != DEFAULT_METHOD:
        yield f"offer_to: method {values['method']} knows no workers; {DEFAULT_METHOD} does"


def _second_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with what seconds are used for."""
    method = _value(values, "method")
    if values.get("weigh_seconds") is True and method not in WEIGHING_METHODS:
        yield f"weigh_seconds: method {method} weighs no answers; {DEFAULT_METHOD} does"
    if values.get("ask_slowest") and _value(values, "answers_per_image") != 1:
        yield (
            "ask_slowest: images have several answers from the first round on, and gain tells "
            "which are asked again; set answers_per_image to 1, or leave it out"
        )


def _number_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield which numbers of images and of answers do not go together."""
    images, gold = _value(values, "images_per_task"), _value(values, "gold_per_task")
    if isinstance(images, int) and isinstance(gold, int) and images >= 1 and gold >= images:
        yield f"gold_per_task: {gold} leaves no room on a page of {images}"
    first, most = _value(values, "answers_per_image"), values.get("max_answers")
    if isinstance(first, int) and isinstance(most, int) and most < first:
        yield f"max_answers: {most} is below answers_per_image, {first}"


def _workforce_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what the portal, Ground Truth or its public team does not follow."""
    if not _on_portal(values):
        if "team" in values:
            yield (
                "team: this is for the portal; with Ground Truth, workforce is the ARN of a work "
                "team, whose members alone see the jobs"
            )
    else:
        for key in [key for key in STOPPING if key in values]:
            yield (
                f"{key}: the portal stops no job by itself; this is for a Ground Truth team as "
                "workforce. On the portal, set job_days, or end a run with: tessera stop RUN"
            )
    public = PUBLIC_TEAM in str(_value(values, "workforce"))
    declared = values.get("content_classifiers", ())
    if public and "FreeOfPersonallyIdentifiableInformation" not in declared:
        yield (
            "content_classifiers: the public workforce takes only images that are said to be "
            "FreeOfPersonallyIdentifiableInformation"
        )


def _combination_problems(values: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a value only in combination with another one."""
    yield from _stop_problems(values)
    yield from _offer_problems(values)
    yield from _second_problems(values)
    yield from _custom_problems(values)
    yield from _multi_problems(values)
    yield from _box_problems(values)
    yield from _guess_problems(values)
    yield from _share_problems(values)
    yield from _number_problems(values)
    if "near_repeats" in values and values.get("repeats") == "each":
        yield (
            "near_repeats: repeats is each, so that even the same image is asked on every line; "
            "leave one of them out"
        )
    yield from _known_picture_problems(values)
    yield from _qualify_problems(values)
    yield from _workforce_problems(values)
