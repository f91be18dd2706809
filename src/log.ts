import { type Logger as Pino, pino } from 'pino'

/** What the engine needs of a logger; any pino instance is one. */
export type Logger = Pick<Pino, 'debug' | 'info' | 'warn' | 'error'>

/**
 * The logger of a session that was given none: JSON lines on stderr, level from `SLUICE_LOG` (default `warn`),
 * so that a library user's stdout stays theirs.
 */
export function defaultLogger(): Logger {
  return pino({ name: 'sluice', level: process.env['SLUICE_LOG'] ?? 'warn' }, pino.destination(2))
}

/** Swallows everything: for tests and for tools that print their own lines. */
export const silentLogger: Logger = pino({ level: 'silent' })
