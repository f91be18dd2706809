/**
 * Every failure a user can meet, in one table: what failed, what to do, and whether trying again can help.
 *
 * `{name}` is filled from the parameters. A code is never reused for another meaning; retired codes stay
 * listed in `docs/errors.md`. Parameters hold names and positions, never credentials or record contents.
 */
export const ERRORS = {
  // options
  OPTION_UNKNOWN: {
    what: "unknown option '{option}' for {owner}: {hint}",
    help: 'correct the name or remove the option; docs/sources.md and docs/sinks.md list them all',
    retriable: false,
  },
  OPTION_MISSING: {
    what: "{owner} needs the option '{option}' ({doc})",
    help: "add .option('{option}', …), or {option} '…' in OPTIONS (…)",
    retriable: false,
  },
  OPTION_INVALID: {
    what: "option '{option}' of {owner} is '{value}'",
    help: 'give {expected}',
    retriable: false,
  },
  OPTION_TWICE: {
    what: "option '{option}' of {owner} is given twice, as '{first}' and as '{second}'",
    help: 'keep one of the two',
    retriable: false,
  },
  // SQL
  SQL_SYNTAX: {
    what: 'the SQL text cannot be parsed: {reason}',
    help: 'correct the text; it is DuckDB SQL, and docs/sql.md lists what streaming adds',
    retriable: false,
  },
  SQL_INVALID: {
    what: 'the query names something that is not there or does not fit: {reason}',
    help: 'check the names and types against printSchema() of the inputs',
    retriable: false,
  },
  SQL_FAILED: {
    what: 'DuckDB stopped while it ran the query: {reason}',
    help: 'wrap expressions that can fail on some rows in TRY(…), or filter those rows out first',
    retriable: false,
  },
  SQL_MANY_STATEMENTS: {
    what: 'more than one statement in one call',
    help: 'give one statement a call, or put them into a file and use sluice run',
    retriable: false,
  },
  SQL_NOT_SELECT: {
    what: 'this is no SELECT that can be analysed: {text}',
    help: 'start with SELECT, FROM or WITH; PIVOT and SHOW have to be written as plain SELECT',
    retriable: false,
  },
  EVENT_TIME_INVALID: {
    what: "'{column}' cannot carry a watermark: {reason}",
    help: 'name one TIMESTAMP column of the stream, once, before any aggregation',
    retriable: false,
  },
  WATERMARK_REQUIRED: {
    what: '{call} needs a watermark to know when a key may be forgotten',
    help: 'call withWatermark(column, delay) before it',
    retriable: false,
  },
  STREAMING_UNSUPPORTED: {
    what: '{what} is not supported ({key}): {why}',
    help: 'use {instead}',
    retriable: false,
  },
  TYPE_UNKNOWN: {
    what: "'{type}' is not a DuckDB type",
    help: 'write a type such as BIGINT, VARCHAR, TIMESTAMP, DECIMAL(18,2), VARCHAR[] or STRUCT(a INTEGER)',
    retriable: false,
  },
  // code of the user's
  UDF_INVALID: {
    what: "the function '{name}' cannot be registered: {reason}",
    help: 'see docs/user-code.md',
    retriable: false,
  },
  UDF_FAILED: {
    what: "the function '{name}' failed{where}: {reason}",
    help: 'correct the function, which may change between two starts; what failed comes again',
    retriable: false,
  },
  GROUP_STATE: {
    what: '{call} of a group is refused: {reason}',
    help: 'see docs/user-code.md, "State"',
    retriable: false,
  },
  VALUE_INVALID: {
    what: 'a value does not fit: {found} where {type} is due',
    help: 'give numbers as number or bigint, times as Date, BLOB as Uint8Array, lists as arrays, structs as objects, null for NULL',
    retriable: false,
  },
  // queries
  TRIGGER_INVALID: {
    what: 'the trigger {trigger} is not one',
    help: "give an object with one of processingTime: '2 seconds', once: true, availableNow: true",
    retriable: false,
  },
  OUTPUT_MODE_INVALID: {
    what: "the output mode '{mode}' is not one: {hint}",
    help: 'use append, update or complete',
    retriable: false,
  },
  SINK_MODE: {
    what: 'the sink {sink} does not take output mode {mode}',
    help: 'use {modes}, or another sink',
    retriable: false,
  },
  NOT_STREAMING: {
    what: 'writeStream needs a query over a stream, and this one reads only static tables',
    help: 'use collect(), show() or toArrow() for its rows',
    retriable: false,
  },
  IS_STREAMING: {
    what: '{call}() needs a finite result, and this query reads a stream',
    help: 'start it with writeStream…start()',
    retriable: false,
  },
  VIEW_UNKNOWN: {
    what: "no table or view is called '{name}': {hint}",
    help: 'create it with createOrReplaceTempView(name) or CREATE TABLE first',
    retriable: false,
  },
  COLUMN_CLASH: {
    what: "the payload field '{column}' has the name of a column that {source} already gives",
    help: "leave it out of schema(…) and read it from data, for example data::VARCHAR->>'{column}'",
    retriable: false,
  },
  QUERY_NAME_TAKEN: {
    what: "a query named '{name}' is already running in this session",
    help: 'stop it first, or choose another queryName',
    retriable: false,
  },
  SESSION_CLOSED: {
    what: 'the session is closed',
    help: 'create a new one with Session.create()',
    retriable: false,
  },
  DATA_LOST: {
    what: '{source} can no longer give {what}: {reason}',
    help: 'start on a new checkpointLocation to accept the loss',
    retriable: false,
  },
  REPLAY_DIFFERS: {
    what: '{source} gave {found} rows for the logged range of batch {batch}, which had {expected} rows, or other contents',
    help: 'find out who changed the stream; to go on without this batch, start on a new checkpointLocation',
    retriable: false,
  },
  BATCH_FAILED: {
    what: 'batch {batch} failed and is not committed: {reason}',
    help: 'correct the query or the data; the same batch comes again at the next start',
    retriable: false,
  },
  QUERY_FAILED: {
    what: 'the query stopped: {reason}',
    help: 'see the cause of this error; the next start continues after the last committed batch',
    retriable: false,
  },
  // payloads
  PAYLOAD_SCHEMA: {
    what: 'the payload of {source} cannot be read with this schema: {reason}',
    help: 'see the section Payloads of docs/sources.md',
    retriable: false,
  },
  PAYLOAD_MALFORMED: {
    what: '{count} records of {source} in batch {batch} do not fit the schema; the first is {position}: {reason}',
    help: 'correct the schema, or set mode PERMISSIVE or DROPMALFORMED; the same batch comes again at the next start',
    retriable: false,
  },
  // sinks
  SINK_NEEDS_NAME: {
    what: 'the sink {sink} needs a name for its table',
    help: "add .queryName('…')",
    retriable: false,
  },
  SINK_TABLE_TAKEN: {
    what: "a table or view '{table}' is there already and was not made by this sink",
    help: 'choose another queryName, or drop it',
    retriable: false,
  },
  SINK_FAILED: {
    what: 'the sink {sink} failed to write batch {batch}: {reason}',
    help: 'correct what the reason says; the same batch comes again at the next start',
    retriable: true,
  },
  BATCH_OVER: {
    what: 'the rows of batch {batch} were asked for after foreachBatch had returned',
    help: 'await toArrow() or toObjects() inside the function, and return its promise',
    retriable: false,
  },
  FORMAT_UNKNOWN: {
    what: "unknown {kind} format '{format}': {hint}",
    help: 'use one of the known formats, or register your own on the session',
    retriable: false,
  },
  // sinks into files and databases
  FORMAT_NAME: {
    what: "'{format}' cannot be the name of a {kind} of your own: {reason}",
    help: 'register it under another name',
    retriable: false,
  },
  SINK_STOPPED: {
    what: 'the sink {sink} was waiting to write batch {batch} when the query was stopped: {reason}',
    help: 'nothing is lost: the same batch comes again at the next start',
    retriable: true,
  },
  SINK_PATH: {
    what: "'{path}' cannot be the target of the sink {sink}: {reason}",
    help: 'give {expected}',
    retriable: false,
  },
  SINK_PATH_TAKEN: {
    what: "the directory '{path}' already holds the output of another sink: {reason}",
    help: 'give this query a path of its own, or remove the directory with its folder _sluice; a query with a new checkpointLocation counts as another one, for it would write everything a second time',
    retriable: false,
  },
  SINK_DAMAGED: {
    what: 'the file {path} of the sink {sink} {reason}',
    help: 'restore it from a copy; without it nobody can tell which batches are in the output, so the other way is to begin anew with an empty path and a new checkpointLocation',
    retriable: false,
  },
  SINK_STORE_UNSAFE: {
    what: "the store of '{path}' cannot keep the sink {sink} exactly-once: {reason}",
    help: 'write to an S3 that honours If-None-Match on writes, as AWS does, or to a directory',
    retriable: false,
  },
  SINK_REPLACED: {
    what: "the working directory of the sink {sink} in '{path}' was removed while it wrote batch {batch}",
    help: 'leave the work to the newer process of this query, which removes it to stop this one; if there is none, somebody cleaned up by hand: start the query again',
    retriable: false,
  },
  SINK_FULL: {
    what: 'no space left for the sink {sink} to {operation} {path}: {reason}',
    help: 'free some space or raise the quota and start the query again; the batch is not in the output and comes again',
    retriable: true,
  },
  SINK_DENIED: {
    what: 'no permission for the sink {sink} to {operation} {path}: {reason}',
    help: 'give the user of this process the right to read and write that directory and everything in it',
    retriable: false,
  },
  SINK_IO: {
    what: 'the sink {sink} could not {operation} {path}: {reason}',
    help: 'check the disk or the mount, then start the query again; the batch comes again',
    retriable: true,
  },
  SINK_LOCKED: {
    what: "the database file '{path}' of the sink {sink} is in use by another program: {reason}",
    help: 'close it there, or open it only for a moment and read-only; lockTimeout says how long a batch waits',
    retriable: true,
  },
  SINK_TABLE: {
    what: "the table {table} in '{path}' cannot take the rows of the query: {reason}",
    help: '{remedy}',
    retriable: false,
  },
  SINK_DATABASE: {
    what: 'the sink {sink} could not {operation} at {host}: {reason}',
    help: '{remedy}',
    retriable: false,
  },
  SINK_DATABASE_UNAVAILABLE: {
    what: 'the sink {sink} could not {operation} at {host}: {reason}',
    help: '{remedy}; maxRetryTime says how long a batch tries, and it comes again at the next start',
    retriable: true,
  },
  // sinks into streams and services
  SINK_COLUMN: {
    what: "the sink {sink} needs a column '{column}' of type {types}, and the query gives {found}",
    help: 'name or cast a column so in the SELECT, for example AS {column}',
    retriable: false,
  },
  SINK_ROW: {
    what: 'row {row} of batch {batch} cannot be written to the sink {sink}: {reason}',
    help: 'correct or filter out such rows in the SELECT; the batch is not committed and comes again',
    retriable: false,
  },
  SINK_HTTP_REFUSED: {
    what: '{url} refused rows {rows} of batch {batch}: {reason}',
    help: 'correct the url, its credentials or the rows; refusedRows says what becomes of single rows that are refused',
    retriable: false,
  },
  SINK_HTTP_UNAVAILABLE: {
    what: '{url} did not take rows {rows} of batch {batch} for {seconds} s: {reason}',
    help: 'remove the cause and start the query again, the batch comes again; maxRetryTime says how long to try',
    retriable: true,
  },
  // aws: what any service may answer; `{where}` names operation, stream, shard, host, region and request id
  AWS_REGION_MISSING: {
    what: 'no AWS region for {owner}',
    help: "set .option('region', 'eu-west-1'), AWS_REGION, or region in the profile; an endpoint URL never decides the region",
    retriable: false,
  },
  AWS_REGION_CONFLICT: {
    what: "'{arn}' lies in region {arnRegion}, but requests would be signed for {region}",
    help: "set .option('region', '{arnRegion}'), or give the ARN of a stream in {region}",
    retriable: false,
  },
  AWS_ARN_INVALID: {
    what: "'{arn}' is not the ARN of {kind}",
    help: 'give it as {expected}',
    retriable: false,
  },
  AWS_CREDENTIALS_MISSING: {
    what: '{where} found no AWS credentials: {reason}',
    help: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role, or the options awsAccessKeyId and awsSecretKey (any text will do for a local endpoint)',
    retriable: false,
  },
  AWS_CREDENTIALS_REJECTED: {
    what: '{where} was refused for its credentials ({source}): {reason}',
    help: 'check that they belong to this account and have not expired, that the region is the one of the endpoint, and that the clock of this machine is right',
    retriable: false,
  },
  AWS_ACCESS_DENIED: {
    what: '{where} is not allowed: {reason}',
    help: 'add to the policy of that principal a statement that allows {action} on {resource}',
    retriable: false,
  },
  AWS_KMS_DENIED: {
    what: '{where} may not use the KMS key of the encrypted stream: {reason}',
    help: 'allow the action kms:Decrypt on that key to the principal, in its policy and in the key policy',
    retriable: false,
  },
  AWS_KMS_UNAVAILABLE: {
    what: '{where} needs a KMS key that cannot be used now: {reason}',
    help: 'enable the key, or cancel its deletion',
    retriable: true,
  },
  AWS_UNREACHABLE: {
    what: '{where} could not connect: {reason}',
    help: 'check region, endpointUrl, DNS and firewall; in a private subnet create an interface endpoint for {service} with private DNS, or set endpointUrl to its https://vpce-… address',
    retriable: true,
  },
  AWS_TIMEOUT: {
    what: '{where} got no answer in time: {reason}',
    help: 'check that the endpoint is the right one and that no proxy or firewall swallows the traffic',
    retriable: true,
  },
  AWS_BAD_RESPONSE: {
    what: '{where} got an answer that is not of the service: {reason}',
    help: 'check endpointUrl, and that no proxy or captive portal answers in its place',
    retriable: true,
  },
  AWS_THROTTLED: {
    what: '{where} was throttled: {reason}',
    help: 'other consumers share the limits of a shard; read less often (fetchInterval), or add shards',
    retriable: true,
  },
  AWS_UNAVAILABLE: {
    what: '{where} failed inside the service: {reason}',
    help: 'wait and try again; see the health page of the service',
    retriable: true,
  },
  AWS_NOT_FOUND: {
    what: '{where} found nothing: {reason}',
    help: 'check name, account and region',
    retriable: false,
  },
  AWS_REQUEST_REFUSED: {
    what: '{where} was refused: {reason}',
    help: 'correct the option that the reason names',
    retriable: false,
  },
  // kinesis source
  KINESIS_STREAM_NOT_FOUND: {
    what: "stream '{stream}' does not exist in region {region} at {host}: {reason}",
    help: 'check the name, the region and the account of the credentials, or create the stream',
    retriable: false,
  },
  KINESIS_STREAM_NOT_ACTIVE: {
    what: "stream '{stream}' is {status}",
    help: 'wait until it is ACTIVE; a stream in DELETING cannot be read',
    retriable: true,
  },
  KINESIS_STREAM_REPLACED: {
    what: "stream '{stream}' was created anew: the checkpoint was written for the one of {before}, this one is of {now}",
    help: "start with a new checkpointLocation, or set .option('failOnDataLoss', false) to read the new stream from its beginning",
    retriable: false,
  },
  KINESIS_SHARD_GONE: {
    what: "shard {shard} of stream '{stream}' does not exist any more: {reason}",
    help: 'its retention has passed; see failOnDataLoss',
    retriable: false,
  },
  KINESIS_ITERATOR_EXPIRED: {
    what: '{where} came later than 5 minutes after the iterator was given out',
    help: 'nothing: reading goes on after the last record with a new iterator',
    retriable: true,
  },
  KINESIS_TOKEN_EXPIRED: {
    what: '{where} took longer than 5 minutes over one list of shards',
    help: 'nothing: the list is asked for again from its beginning',
    retriable: true,
  },
  KINESIS_POSITION_REFUSED: {
    what: '{where} does not know the position: {reason}',
    help: 'the records there have passed their retention, or the stream is another one; see failOnDataLoss',
    retriable: false,
  },
  KINESIS_POSITION_INVALID: {
    what: 'the position of {source} in the checkpoint cannot be used: {reason}',
    help: 'use the checkpointLocation of this query on this stream, or a new one',
    retriable: false,
  },
  KINESIS_DATA_LOSS: {
    what: "records of shard {shard} of stream '{stream}' are lost or may be: {reason} (range {range})",
    help: "set .option('failOnDataLoss', false) to go on with what is left and count the loss, and raise the retention of the stream",
    retriable: false,
  },
  KINESIS_SHARD_MAP_INCONSISTENT: {
    what: "the shards of stream '{stream}' do not cover its hash keys: {reason}",
    help: 'try again: the list lags behind a reshard; if it stays so, report it with the output of ListShards',
    retriable: true,
  },
  KINESIS_CLOSED: {
    what: '{source} was closed while it was asked for {what}',
    help: 'nothing, if the query was stopped',
    retriable: false,
  },
  CBOR_MALFORMED: {
    what: 'an answer is no CBOR: at byte {at} {reason}',
    help: 'check endpointUrl, and that no proxy answers in its place',
    retriable: true,
  },
  KINESIS_RETRIES_EXHAUSTED: {
    what: '{where} kept failing for {seconds} s: {reason}',
    help: 'remove the cause and start the query again (it resumes from its checkpoint), or raise maxRetryTime',
    retriable: false,
  },
  // files as a source
  FILES_SCHEMA: {
    what: 'the source {source} needs a schema: the files to come may have other columns than those in {path} now',
    help: "add .schema('userId BIGINT, at TIMESTAMP'); a column that a file does not have is NULL",
    retriable: false,
  },
  FILES_PATH: {
    what: "the source {source} cannot read '{path}': {reason}",
    help: 'give a directory on a local or mounted disk, or s3://bucket/prefix, and the format of the files there',
    retriable: false,
  },
  FILES_IO: {
    what: 'the source {source} could not {operation} {path}: {reason}',
    help: 'check the disk or the mount and the rights of this user, then start the query again',
    retriable: true,
  },
  FILES_LEDGER: {
    what: 'the file {path} in the ledger of {source} {reason}',
    help: 'restore it from a copy; without it nobody can tell which files are in the output',
    retriable: false,
  },
  FILES_POSITION: {
    what: 'the position of {source} in the checkpoint cannot be used: {reason}',
    help: 'start on the checkpoint of this query, or on a new checkpointLocation',
    retriable: false,
  },
  FILE_UNREADABLE: {
    what: '{source} cannot read {path}: {reason}',
    help: 'correct the schema, or take the file away and start the query again; a column may be declared VARCHAR and cast with TRY_CAST',
    retriable: false,
  },
  // generated sources: rate, nexmark
  GENERATED_POSITION: {
    what: 'the position of {source} in the checkpoint cannot be used: {reason}',
    help: 'give the source the options that the query was started with, or start on a new checkpointLocation',
    retriable: false,
  },
  // checkpoint
  CHECKPOINT_LOCATION: {
    what: "checkpointLocation '{location}' cannot be used: {reason}",
    help: 'give the path of a directory, such as /var/lib/app/checkpoints/clicks, its file:// URL, or s3://bucket/prefix with a bucket that exists',
    retriable: false,
  },
  CHECKPOINT_FOREIGN: {
    what: "the directory '{location}' holds other things ({found}) and no checkpoint",
    help: 'give an empty or new directory; nothing in this one was touched',
    retriable: false,
  },
  CHECKPOINT_ABSENT: {
    what: "there is no checkpoint at '{location}'",
    help: 'give the checkpointLocation of a query that has been started',
    retriable: false,
  },
  CHECKPOINT_TAKEN: {
    what: "'{location}' holds a checkpoint already, which was left as it is",
    help: 'give an empty or new place to copy to',
    retriable: false,
  },
  CHECKPOINT_BATCH_UNKNOWN: {
    what: 'the checkpoint {location} has not kept batch {batch}: it has {known}',
    help: "name one of those; the option minBatchesToRetain says how many are kept, and 'sluice checkpoint ls' lists them",
    retriable: false,
  },
  CHECKPOINT_INCOMPATIBLE: {
    what: 'the checkpoint {location} belongs to another query (id {queryId}): {changes}',
    help: 'undo the change, or give the changed query a new checkpointLocation: it then starts from its startingPosition with empty state',
    retriable: false,
  },
  CHECKPOINT_CORRUPT: {
    what: '{path} in the checkpoint {location} {reason}',
    help: '{remedy}',
    retriable: false,
  },
  CHECKPOINT_VERSION: {
    what: '{path} in the checkpoint {location} has format version {version}, this Sluice reads {known}',
    help: 'run it with the version of Sluice that wrote it, or a later one',
    retriable: false,
  },
  CHECKPOINT_IN_USE: {
    what: 'the checkpoint {location} is in use by process {pid} on host {host} (epoch {epoch}, since {since})',
    help: 'stop that query first, or give this one a checkpointLocation of its own; a holder that died is found out without help',
    retriable: false,
  },
  CHECKPOINT_FENCED: {
    what: 'epoch {epoch} of this query on the checkpoint {location} was replaced by epoch {successor}, held by process {pid} on host {host}; nothing of this process counts any more',
    help: 'leave the work to that process; it took over because this one was paused or cut off',
    retriable: false,
  },
  CHECKPOINT_CONFLICT: {
    what: '{path} in the checkpoint {location} was written by somebody else (epoch {other}) just before epoch {epoch} came to it',
    help: 'start the query again: it goes on from what the checkpoint holds, and nothing is lost or repeated',
    retriable: false,
  },
  CHECKPOINT_MISUSE: {
    what: 'the checkpoint {location} was asked for what would break it: {reason}',
    help: 'this is a defect of the engine or of a custom source; please report it with this message',
    retriable: false,
  },
  CHECKPOINT_STORE_UNSAFE: {
    what: 'the store of the checkpoint {location} cannot keep a single writer: {reason}',
    help: 'put the checkpoint on a file system with hard links, such as ext4, xfs, btrfs, APFS, NTFS or NFS, or on an S3 that honours If-None-Match on writes',
    retriable: false,
  },
  CHECKPOINT_FULL: {
    what: 'no space left to {operation} {path} in the checkpoint {location}: {reason}',
    help: 'free some space or raise the quota and start the query again; nothing was written in part',
    retriable: false,
  },
  CHECKPOINT_DENIED: {
    what: 'no permission to {operation} {path} in the checkpoint {location}: {reason}',
    help: 'give the user of this process the right to read and write that directory and everything in it',
    retriable: false,
  },
  CHECKPOINT_IO: {
    what: 'could not {operation} {path} in the checkpoint {location}: {reason}',
    help: 'check the disk or the mount, then start the query again',
    retriable: false,
  },
  // S3, for checkpoints, sinks and sources
  S3_REGION: {
    what: 'requests of {owner} are signed for no region or for a wrong one: {reason}',
    help: "set .option('{option}', '{region}'), AWS_REGION, or region in the profile; an endpoint URL never decides the region",
    retriable: false,
  },
  S3_UNAVAILABLE: {
    what: '{where} kept failing for {seconds} s: {reason}',
    help: 'remove the cause and start the query again (it goes on from what the checkpoint holds, whether or not the last write arrived), or raise {option}',
    retriable: false,
  },
  S3_NO_BUCKET: {
    what: "the bucket '{bucket}' of {owner} does not exist: {where}",
    help: 'create it, or correct its name',
    retriable: false,
  },
  CHECKPOINT_S3_TOO_LARGE: {
    what: '{path} of the checkpoint {location} has {bytes} bytes, and S3 takes 5 GiB in one request',
    help: 'keep less state, for example by a shorter watermark delay, or put the checkpoint on a disk',
    retriable: false,
  },
  // failpoints, which only tests set
  FAILPOINT: {
    what: 'the failpoint {name} threw when it was passed for the {hit}. time',
    help: 'unset the environment variable SLUICE_FAILPOINT, which is for tests of crashes',
    retriable: false,
  },
  // command line
  CLI_USAGE: {
    what: '{reason}',
    help: "see '{command} --help'",
    retriable: false,
  },
  SCRIPT_UNREADABLE: {
    what: "the script '{file}' cannot be read: {reason}",
    help: 'give the path of a text file with SQL statements, such as sql/examples/word-count.sql',
    retriable: false,
  },
  SCRIPT_EMPTY: {
    what: "the script '{file}' has no statement in it",
    help: 'write a CREATE STREAM and a CREATE SINK; sql/examples holds some to start from',
    retriable: false,
  },
  SCRIPT_NO_SINK: {
    what: "the script '{file}' has no CREATE SINK, so nothing of it would run",
    help: 'add for example: CREATE SINK out USING console AS SELECT * FROM name_of_the_stream',
    retriable: false,
  },
  SCRIPT_VALUE_MISSING: {
    what: "the script '{file}' needs values for {names}",
    help: 'give each with --set name=value or as an environment variable, or write defaults into the script, as sql/examples/word-count.sql does',
    retriable: false,
  },
  SCRIPT_VALUE_UNUSED: {
    what: "the script '{file}' has no place for the value '{name}': {hint}",
    help: 'correct the name after --set, or remove it',
    retriable: false,
  },
  DEMO_ENDPOINT_FAILED: {
    what: 'the Kinesis endpoint of the demo, {endpoint}, does not work: {reason}',
    help: 'try sluice demo --endpoint double, which needs no other package, or --endpoint local',
    retriable: false,
  },
  DEMO_QUERY_ENDED: {
    what: 'the query process of the demo ended with {status} when it should not: {reason}',
    help: 'run the demo again with --keep and look at what it left; if it happens again, please report it with this message',
    retriable: false,
  },
  DEMO_DIFFERS: {
    what: 'the query counted {counted} words and the producer {produced}; {words} of the words differ',
    help: 'run the demo again with a lower --rate if the query was only slow; else this is a defect, so please report it with the table above',
    retriable: false,
  },
} as const satisfies Readonly<Record<string, ErrorSpec>>

export interface ErrorSpec {
  readonly what: string
  readonly help: string
  readonly retriable: boolean
}

export type ErrorCode = keyof typeof ERRORS

type Names<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never

/** The parameters that a code's texts name. */
export type ErrorParams<C extends ErrorCode> = Readonly<
  Record<Names<(typeof ERRORS)[C]['what'] | (typeof ERRORS)[C]['help']>, string | number>
>

/** The one error class. Its message reads `CODE: what failed. What to do.` */
export class SluiceError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'SluiceError'
  readonly code: C
  readonly params: ErrorParams<C>
  /** Retry logic looks at this alone. */
  readonly retriable: boolean
  /** What to do about it; the last sentence of the message. */
  readonly help: string

  constructor(code: C, params: ErrorParams<C>, options?: { cause?: unknown }) {
    const spec: ErrorSpec = ERRORS[code]
    const help = fill(spec.help, params)
    super(`${code}: ${fill(spec.what, params)}. To fix: ${help}.`, options)
    this.code = code
    this.params = params
    this.retriable = spec.retriable
    this.help = help
  }
}

/** Whether `error` (not its causes) carries this code. */
export function hasCode<C extends ErrorCode>(error: unknown, code: C): error is SluiceError<C> {
  return error instanceof SluiceError && error.code === code
}

/** The message of whatever was thrown, for embedding in another error's parameters. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/\s+/g, ' ').trim()
}

function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole))
}
