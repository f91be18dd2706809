import { triggerSetting } from '../engine/trigger.ts'
import { parseScript, type ScriptStatement } from '../plan/ddl.ts'
import { DataFrame } from './dataframe.ts'
import { DataStreamReader } from './reader.ts'
import { draftOf, type SessionContext } from './session-context.ts'
import { DataStreamWriter } from './writer.ts'

/**
 * Carries out the statements of a script and gives a writer for each of its sinks. All of the script is read before
 * any of it is carried out.
 */
export async function readScript(script: string, context: SessionContext): Promise<DataStreamWriter[]> {
  const writers: DataStreamWriter[] = []
  for (const statement of parseScript(script)) {
    if (statement.kind === 'sink') writers.push(sinkWriter(statement, context))
    else if (statement.kind === 'other') await context.connection.run(statement.text)
    else declare(statement, context)
  }
  return writers
}

type Of<K extends ScriptStatement['kind']> = Extract<ScriptStatement, { kind: K }>

function declare(statement: Of<'stream'> | Of<'view'>, context: SessionContext): void {
  const { name } = statement
  if (statement.kind === 'view') {
    const { watermark, distinct } = statement
    let view = new DataFrame(context, draftOf(statement.select, context.views))
    if (watermark) view = view.withWatermark(watermark.column, watermark.delay)
    if (distinct) view = view.dropDuplicatesWithinWatermark(...distinct)
    view.createOrReplaceTempView(name)
    return
  }
  const reader = new DataStreamReader(context, statement.format, statement.options, statement.fields)
  const stream = reader.load()
  const { watermark } = statement
  const timed = watermark ? stream.withWatermark(watermark.column, watermark.delay) : stream
  timed.createOrReplaceTempView(name)
}

/** `outputMode` and `trigger` are options here, since SQL has no place for them. */
function sinkWriter(statement: Of<'sink'>, context: SessionContext): DataStreamWriter {
  const draft = draftOf(statement.select, context.views)
  let writer = new DataStreamWriter(context, draft).format(statement.format).queryName(statement.name)
  for (const [name, value] of statement.options) {
    if (/^outputMode$/i.test(name)) writer = writer.outputMode(value)
    else if (/^trigger$/i.test(name)) writer = writer.trigger(triggerSetting(value))
    else writer = writer.option(name, value)
  }
  return writer
}
