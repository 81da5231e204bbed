"""Workers' statistics, kept as answers come."""

from __future__ import annotations

from tessera.portal import job_lifecycle
from tessera.portal.table_layout import stats_key, stats_of
from tests.portal.world import World


def test_agreement_and_gold_images_are_counted_as_answers_come(world: World) -> None:
    job_request = world.request(tasks=2, workers=2)
    world.files.put(
        f"{job_request['InputConfig']['DataSource']['S3DataSource']['ManifestS3Uri'].rpartition('/')[0]}/gold.csv",
        b"index,label\n0,cat\n3,dog\n",
    )
    job = job_lifecycle.open_job(world.ports, job_request, "token")
    world.work(job, "ann", "cat")
    world.work(job, "ben", "dog")
    ann, ben = (
        stats_of(world.table.get(stats_key(job.name, worker))[0]) for worker in ("ann", "ben")
    )
    assert (ann.compared, ann.agreed, ben.compared, ben.agreed) == (4, 0, 4, 0)
    assert (ann.gold, ann.gold_right, ben.gold, ben.gold_right) == (2, 1, 2, 1)
