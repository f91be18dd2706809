-- The classic word count: how often each word occurs in the sentences of a stream, which are plain text.
--
--   sluice run sql/examples/word-count.sql --set streamName=sentences --set region=eu-west-1
--
-- Shows: a payload as text (data::VARCHAR), one row for each item of a list (unnest), state that is kept across
-- batches, and complete mode, which gives the whole result after every batch. With a checkpointLocation among the
-- options of the sink a restart goes on counting; without one it counts the stream anew.

CREATE STREAM sentences USING kinesis OPTIONS (
  streamName '${streamName:-sentences}',
  region '${region:-us-east-1}',
  startingPosition 'trim_horizon'
);

CREATE VIEW words AS
SELECT unnest(string_split(lower(data::VARCHAR), ' ')) AS word
FROM sentences;

CREATE SINK word_count USING console OPTIONS (
  outputMode 'complete',
  trigger '2 seconds'
) AS
SELECT word, count(*) AS count
FROM words
WHERE word <> ''
GROUP BY word
ORDER BY count DESC, word
LIMIT 20;
