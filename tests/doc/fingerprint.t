#!/bin/sh
# The fingerprint of tokenizers, by shard(5) alone in another language, against the program's.

. "${0%/*}/../lib.sh"
need_command shard perl

agree() {
    shard import --ids -t "$1" --no-embed -o empty.tok </dev/null
    is "$(perl -I "$TOP/tests/doc" "$TOP/tests/doc/fingerprint.pl" "$1")" \
        "$(shard info --json empty.tok | sed 's/.*"fingerprint":"\([^"]*\)".*/\1/')" "$2"
}

# Bytes as tokens, one merge, and in $1 and $2 a normalizer and added tokens.
tokenizer() {
    perl -CS -e '
        my ($normalizer, $added) = @ARGV;
        my @keep = (33 .. 126, 161 .. 172, 174 .. 255);
        my %kept = map { $_ => 1 } @keep;
        my ($n, @char) = 0;
        for my $b (0 .. 255) { $char[$b] = chr($kept{$b} ? $b : 256 + $n++); }
        my @vocab = map { my $c = $char[$_]; $c =~ s/(["\\])/\\$1/; "\"$c\": $_" } reverse 0 .. 255;
        print "{\"version\": \"1.0\", \"added_tokens\": [$added], \"normalizer\": $normalizer,\n",
            "\"pre_tokenizer\": {\"use_regex\": true, \"type\": \"ByteLevel\", ",
            "\"add_prefix_space\": false, \"trim_offsets\": true}, \"post_processor\": null,",
            "\"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"vocab\": {",
            join(", ", @vocab), ", \"th\": 256, \"th\\u0065\": 257}, ",
            "\"merges\": [\"t h\", [\"th\", \"e\"]]}}";' "$1" "$2"
}
tokenizer null '' >plain.json
agree plain.json 'a small tokenizer'
tokenizer '{"type": "NFC"}' '{"id": 259, "content": "b\u0001\"\\", "special": false},
    {"id": 256, "content": "th"}, {"id": 9, "content": "b\u0001\"\\", "special": true},
    {"id": 258, "content": "a\ud83d\ude00", "single_word": true, "lstrip": true, "rstrip": true,
    "normalized": false, "special": true}' >more.json
agree more.json 'a normalizer; added tokens with odd ids, twice, in the vocabulary; escapes'
isnt "$(perl -I "$TOP/tests/doc" "$TOP/tests/doc/fingerprint.pl" plain.json)" \
    "$(perl -I "$TOP/tests/doc" "$TOP/tests/doc/fingerprint.pl" more.json)" 'another fingerprint'
# what tokenizes alike has the same fingerprint: spelling, other sections
sed 's/: /:/g; s/"post_processor":null/"post_processor": {"type": "ByteLevel"}/; s/th\\u0065/the/' \
    plain.json >same.json
is "$(perl -I "$TOP/tests/doc" "$TOP/tests/doc/fingerprint.pl" plain.json)" \
    "$(perl -I "$TOP/tests/doc" "$TOP/tests/doc/fingerprint.pl" same.json)" \
    'spelling and the post-processor do not matter'
agree same.json 'nor do they to the program'

for name in gpt2 gpt-neox qwen3 deepseek_v3; do
    file=$SHARED/data/tokenizers/hf/$name.tokenizer.json.gz
    if [ ! -f "$file" ]; then
        skip 1 "no $file"
    elif [ $name != gpt2 ] && ! is_long; then
        : # perl takes seconds for these
    else
        gzip -dc "$file" >$name.json
        agree $name.json $name
    fi
done
done_testing
