"""The first start: who has the link from the terminal becomes the owner, and a project waits for them."""

from __future__ import annotations

from nextword.label.guide import own_guide, own_quiz
from nextword.label.office import Office
from nextword.label.person import Person


def found(office: Office, name: str, password: str, project: str = "default") -> Person:
    """Make the first owner and, where there is none, a project with our own guide and quiz.

    Conflict when somebody is here already, so the link is good for one.
    """
    owner = office.people.found(name, password)
    if not office.projects.all(owner):
        office.projects.create(owner, project, own_guide(), None, own_quiz())
    return owner
