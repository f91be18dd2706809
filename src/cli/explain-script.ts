import { Session } from '../api/session.ts'
import { SluiceError } from '../errors.ts'
import { silentLogger } from '../log.ts'
import { readScript, type ScriptArguments } from './script-file.ts'

/** Prints the plan of every sink of a script. */
export async function explainScript(args: ScriptArguments): Promise<void> {
  const script = await readScript(args)
  const session = await Session.create({ log: silentLogger })
  try {
    const writers = await session.prepare(script)
    if (writers.length === 0) throw new SluiceError('SCRIPT_NO_SINK', { file: args.file })
    const texts: string[] = []
    for (const writer of writers) {
      const title = `Sink ${writer.name}`
      texts.push(`${title}\n${'─'.repeat(title.length)}\n${await writer.explain()}`)
    }
    process.stdout.write(texts.join('\n'))
  } finally {
    await session.close()
  }
}
