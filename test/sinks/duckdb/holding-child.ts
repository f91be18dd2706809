import { Database, literal } from '../../../src/duckdb.ts'

/** Holds the database file it is given, as a reader does, until its input ends. */
const [path = ''] = process.argv.slice(2)
const database = await Database.open()
const connection = await database.connect()
await connection.run(`ATTACH ${literal(path)} AS held (READ_ONLY)`)
process.stdout.write('held\n')
process.stdin.resume().once('end', () => database.close())
