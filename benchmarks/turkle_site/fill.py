"""Put workers, a project and batches of tasks into Turkle, and print what a client needs.

Usage: PYTHON -m turkle_site.fill WORKERS IMAGES TASKS…

TASKS is the number of tasks of each batch; two answers are wanted of each. Prints JSON: the
sessions of the workers, who are signed in already, and the ids of the batches.
"""

from __future__ import annotations

import json
import sys

import django

CHOICES = ("cat", "dog", "cannot see")


def page(images: int) -> str:
    """Return a project's page: so many pictures with three radios each, as Turkle fills it in."""
    figures = "".join(
        f'<figure><img alt="" src="${{image{number}}}">'
        + "".join(
            f'<label><input type="radio" name="{number}" value="{choice}" required>{choice}</label>'
            for choice in CHOICES
        )
        + "</figure>"
        for number in range(images)
    )
    return f"<h1>Cat or dog?</h1>{figures}"


def main() -> None:
    """Fill the database."""
    django.setup()
    from django.contrib.auth.models import User  # a model can be loaded once Django is set up
    from django.test import Client
    from turkle.models import Batch, Project, Task

    workers, images, *sizes = map(int, sys.argv[1:])
    template = page(images)
    project = Project(name="pets", html_template=template)
    project.save()
    batches = []
    for size in sizes:
        batch = Batch(name=f"{size}-{len(batches)}", project=project, assignments_per_task=2)
        batch.filename = "pets.csv"
        batch.save()
        rows = (
            {f"image{side}": f"/pictures/{task + side * size}.svg" for side in range(images)}
            for task in range(size)
        )
        Task.objects.bulk_create(Task(batch=batch, input_csv_fields=row) for row in rows)
        batches.append(batch.id)
    sessions = []
    for number in range(workers):
        user = User.objects.create_user(f"worker-{number}", password=None)
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        sessions.append(client.cookies["sessionid"].value)
    print(json.dumps({"sessions": sessions, "batches": batches}))


if __name__ == "__main__":
    main()
