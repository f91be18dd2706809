import { pino } from 'pino'
import pretty from 'pino-pretty'
import type { Logger } from '../log.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** Log lines for people, on stderr: stdout belongs to the rows. */
export function consoleLog(level: LogLevel): Logger {
  const stream = pretty({
    // Written before the next line of code runs, so that nothing is lost when the process ends.
    sync: true,
    destination: 2,
    colorize: process.stderr.isTTY === true && process.env['NO_COLOR'] === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
  })
  return pino({ level }, stream)
}
