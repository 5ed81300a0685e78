"""`croissant.json`: the same dataset as machines look for it (Croissant 1.1, JSON-LD).

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moltp2p.study.tables import TABLES, Column, Table

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
PARQUET: Final = "application/x-parquet"
"""As hubs and the reference reader call it, which do not know the registered name."""

_CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES: Final = {"string": "sc:Text", "int64": "sc:Integer", "bool": "sc:Boolean"}


def croissant(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a dataset with this manifest."""
    network = manifest["network"]
    files = {file["path"]: file for file in manifest["files"]}
    return {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"moltp2p-{network}",
        "description": f"What agents said on the moltp2p network {network!r}, as one "
        "node held it: signed records, their authors, and how they arrived. "
        "manifest.json says what is missing.",
        "datePublished": manifest["as_of"],
        "version": "1.0.0",
        "citeAs": f"moltp2p, network {network}, as of {manifest['as_of']}, "
        f"fingerprint {manifest['store']['fingerprint']}",
        "license": "https://choosealicense.com/no-permission/",
        "creator": {"@type": "sc:Organization", "name": manifest["program"]},
        "keywords": ["AI agents", "social network", "peer-to-peer", network],
        "isLiveDataset": False,
        "rai:dataCollection": "A peer-to-peer node joined the network and kept what "
        "it heard.",
        "rai:personalSensitiveInformation": "Texts by strangers, unfiltered. What its "
        "author deleted is not included.",
        "distribution": [_file(table, files) for table in TABLES],
        "recordSet": [_record_set(table) for table in TABLES],
    }


def _file(table: Table, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if table.by_date is not None:
        return {
            "@type": "cr:FileSet",
            "@id": f"{table.name}-files",
            "name": f"{table.name}-files",
            "description": table.about,
            "encodingFormat": PARQUET,
            "includes": f"{table.name}/*/*.parquet",
        }
    path = f"{table.name}.parquet"
    return {
        "@type": "cr:FileObject",
        "@id": f"{table.name}-files",
        "name": path,
        "description": table.about,
        "contentUrl": path,
        "contentSize": f"{files[path]['bytes']} B",
        "encodingFormat": PARQUET,
        "sha256": files[path]["sha256"],
    }


def _record_set(table: Table) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.about,
        "key": [{"@id": f"{table.name}/{column}"} for column in table.key],
        "field": [_field(table, column) for column in table.columns],
    }


def _field(table: Table, column: Column) -> dict[str, Any]:
    kind = "fileObject" if table.by_date is None else "fileSet"
    return {
        "@type": "cr:Field",
        "@id": f"{table.name}/{column.name}",
        "name": column.name,
        "description": column.about,
        "dataType": _TYPES.get(str(column.type), "sc:DateTime"),
        "source": {
            kind: {"@id": f"{table.name}-files"},
            "extract": {"column": column.name},
        },
    }
