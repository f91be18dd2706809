export const ENDPOINTS = ['auto', 'local', 'double'] as const

/** `local` is the package kinesis-local, `double` our own, `auto` the first of them that is installed. */
export type EndpointChoice = (typeof ENDPOINTS)[number]
