package event

import "embed"

// Schemas holds the contract in machine-readable form, under schemas/: a JSON
// Schema (2020-12) for each kind of value, request.schema.json,
// result.schema.json and pending.schema.json, and asyncapi.yaml, the AsyncAPI
// 3.0 description of the topics. Tests hold them and this package together;
// nothing is validated against them at run time.
//
//go:embed schemas/*.json schemas/asyncapi.yaml
var Schemas embed.FS
