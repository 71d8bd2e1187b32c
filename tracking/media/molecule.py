"""`weft.Molecule`: a structure, in one of the formats that viewers read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Self

from weft.tracking.errors import Error, UsageError
from weft.tracking.media.base import FileMedia, file_content, read_file
from weft.tracking.payloads.content import Content

_FILES = {
    "pdb": "chemical/x-pdb",
    "pqr": "chemical/x-pqr",
    "mmcif": "chemical/x-mmcif",
    "mcif": "chemical/x-mmcif",
    "cif": "chemical/x-cif",
    "sdf": "chemical/x-mdl-sdfile",
    "sd": "chemical/x-mdl-sdfile",
    "gro": "chemical/x-gro",
    "mol2": "chemical/x-mol2",
    "mmtf": "application/vnd.rcsb.mmtf",
}
_RDKIT_FILES = {"pdb": "MolFromPDBFile", "mol": "MolFromMolFile", "sdf": "", "sd": ""}


class Molecule(FileMedia):
    """A molecule.

    Args:
        data_or_path: the path of a file (pdb, pqr, mmcif, mcif, cif, sdf, sd, gro, mol2, mmtf), or an open file or its
            bytes with `file_type`.
        caption: shown below it.
        file_type: one of these extensions.

    Raises:
        UsageError: there is no such file, or no type is said.
        TypeError: it is nothing of these.
    """

    kind: ClassVar[str] = "molecule-file"
    batch: ClassVar[str] = "molecule"
    folder: ClassVar[str] = "molecule"

    def __init__(self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None) -> None:
        super().__init__(caption)
        if isinstance(data_or_path, (str, os.PathLike)):
            self._content = read_file("Molecule", data_or_path, _FILES)
        else:
            self._content = opened("Molecule", data_or_path, file_type, _FILES)

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: Any,
        caption: str | None = None,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:
        """Of an RDKit molecule, or a file that RDKit reads (mol, pdb, sdf).

        Args:
            convert_to_3d_and_optimize: give it hydrogens and a shape, by MMFF94.
            mmff_optimize_molecule_max_iterations: steps of that.

        Raises:
            Error: RDKit is not installed.
            UsageError: RDKit cannot read it.
        """
        chem, all_chem = _rdkit("Molecule.from_rdkit()")
        if isinstance(data_or_path, (str, os.PathLike)):
            molecule = _read_by_rdkit(chem, os.fspath(data_or_path))
        else:
            molecule = data_or_path
        if not isinstance(molecule, chem.Mol):
            raise UsageError(f"RDKit reads no molecule in {data_or_path!r:.100}")
        if convert_to_3d_and_optimize:
            molecule = chem.AddHs(molecule)
            # A seed of its own: weft draws from nobody's random numbers.
            if all_chem.EmbedMolecule(molecule, randomSeed=7) == 0:
                all_chem.MMFFOptimizeMolecule(molecule, maxIters=mmff_optimize_molecule_max_iterations)
        text = chem.MolToPDBBlock(molecule)
        return cls(text.encode(), caption, file_type="pdb")

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: str | None = None,
        sanitize: bool = True,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:
        """Of a SMILES text, by RDKit.

        Raises:
            Error: RDKit is not installed.
            UsageError: it is no SMILES.
        """
        chem, _ = _rdkit("Molecule.from_smiles()")
        molecule = chem.MolFromSmiles(data, sanitize=sanitize)
        if molecule is None:
            raise UsageError(f"RDKit reads no molecule in the SMILES {data!r:.100}")
        return cls.from_rdkit(molecule, caption, convert_to_3d_and_optimize, mmff_optimize_molecule_max_iterations)


def opened(what: str, value: Any, file_type: str | None, endings: dict[str, str]) -> Content:
    """Bytes, a text or an open file of a type that is told.

    Raises:
        UsageError: no type, or one that is not known.
        TypeError: it is none of these.
    """
    name = getattr(value, "name", None)
    if file_type is None and isinstance(name, str) and Path(name).is_file():
        return read_file(what, name, endings)  # an open file that says where it lies
    ending = str(file_type).lower().lstrip(".") if file_type is not None else None
    if ending not in endings:
        known = ", ".join(endings)
        raise UsageError(f"{what}() of an open file or bytes needs file_type=, one of {known}; got {file_type!r:.40}")
    if callable(getattr(value, "read", None)):
        if callable(getattr(value, "seek", None)):
            value.seek(0)
        value = value.read()
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, (bytes, bytearray)):
        raise TypeError(f"{what}() takes a path, an open file or bytes, got {type(value).__name__}")
    return file_content(bytes(value), ending, endings[ending])


def _read_by_rdkit(chem: Any, path: str) -> Any:
    ending = path.rpartition(".")[2].lower()
    if ending not in _RDKIT_FILES:
        raise UsageError(f"from_rdkit() reads files that end in {', '.join(_RDKIT_FILES)}; got {path!r:.100}")
    try:
        if ending in ("sdf", "sd"):
            return next(iter(chem.SDMolSupplier(path)), None)
        return getattr(chem, _RDKIT_FILES[ending])(path)
    except OSError as error:
        raise UsageError(f"RDKit cannot read {path!r:.200}: {error}") from None


def _rdkit(what: str) -> tuple[Any, Any]:
    try:
        from rdkit import Chem  # the user's own library, and large
        from rdkit.Chem import AllChem
    except ImportError as error:
        raise Error(f"{what} needs RDKit. Run: pip install rdkit") from error
    return Chem, AllChem
