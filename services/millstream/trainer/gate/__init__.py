"""Stage 7: may this version serve? Measured on the same shoppers as the version in service.

`rule` holds the margins and why they are what they are; `exam` asks both for lists; `segments` says
whose and which items are looked at by themselves; `bootstrap` gives each difference its interval;
`bounds` looks at what the lists show of the catalogue; `verdict` decides."""
