"""Say of a model what no file of it knows: its licence, languages, origin."""

import dataclasses
import re

from tfminilm.errors import UsageError

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclasses.dataclass(frozen=True)
class CardOptions:
    """Hold what a person says of a model that is to be published.

    Attributes:
        license: by its short name on the Hugging Face Hub, such as
            "apache-2.0"; "other" for one without. It may be missing from the
            card beside a run's student alone.
        languages: of the texts that it reads: ISO 639 codes, such as "en".
        repository: where it will be, "OWNER/NAME".
        base_model: the model that it learned from, by its name on the Hub.
        datasets: what it learned from, by their names on the Hub.
        intended_use: a sentence on what it is for.
        limits: a sentence on what it is not for.
    """

    license: str = ""
    languages: tuple[str, ...] = ()
    repository: str = ""
    base_model: str = ""
    datasets: tuple[str, ...] = ()
    intended_use: str = ""
    limits: str = ""

    def __post_init__(self) -> None:
        if self.license and not _LICENSE.fullmatch(self.license):
            raise UsageError(
                f"the license is {self.license!r}, expected its short name on "
                "the Hugging Face Hub, such as apache-2.0, mit, cc-by-4.0 or "
                "other"
            )
        for code in self.languages:
            if not _LANGUAGE.fullmatch(code):
                raise UsageError(
                    f"a language is {code!r}, expected ISO 639 codes, such as "
                    "en or de, or multilingual"
                )
        for name, value in (
            ("repository", self.repository),
            ("base_model", self.base_model),
        ):
            if value and not _REPOSITORY.fullmatch(value):
                raise UsageError(
                    f"{name} is {value!r}, expected OWNER/NAME, as on the "
                    "Hugging Face Hub"
                )
