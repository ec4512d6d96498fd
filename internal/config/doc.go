// Package config holds every setting of the service: its key, type, default,
// bounds and manual, and how it is read.
//
// # Sources
//
// A setting is looked for, the later winning over the earlier, in
//
//  1. its default,
//  2. the YAML file,
//  3. the environment: REAUTH_ and the key in capitals, levels joined by two
//     underscores (vendors.argos.base_url is
//     REAUTH_VENDORS__ARGOS__BASE_URL), lists separated by commas,
//  4. overrides from the command line.
//
// A list given later replaces the earlier one; it is not added to it. A key
// without a value in the file (null) is as good as absent, an empty string is
// a value.
//
// # Faults
//
// [Load] reads everything, then reports every fault at once as a [*Faults],
// each with the line or the variable that it came from and what to write
// instead. Keys that no setting has are faults too, wherever they stand: a
// misspelt limit must not silently be the default one.
//
// # Secrets
//
// A secret is a [Secret]: it prints as redacted in every form and gives its
// value to [Secret.Reveal] alone. Each secret key has a twin that ends in
// _file and names a file to read it from; a file that is rewritten later takes
// effect without a restart. Faults never quote a secret, nor an address, which
// may carry one.
//
// # One table
//
// A setting is declared once, beside its struct, in a describe method. Reading,
// checking, the reference file deploy/config.yaml and the manual
// docs/settings.md all come from that declaration.
package config
