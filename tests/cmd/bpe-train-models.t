#!/bin/sh
# bpe-train --model: WordPiece; what others make of the same text; usage.

. "${0%/*}/../lib.sh"
need_command bpe-train tokenize detokenize perl

vocab() { # the tokens in the order of their ids
    perl -MJSON::PP -0777 -ne '
        my $v = JSON::PP->new->utf8->decode($_)->{model}{vocab};
        binmode STDOUT, ":utf8";
        print join " ", ref $v eq "ARRAY" ? map { $_->[0] } @$v : sort { $v->{$a} <=> $v->{$b} } keys %$v
    ' "$1"
}

# ---- WordPiece: as WordPieceTrainer of the tokenizers library 0.23 has it

printf 'low lower lowest, newer newest wide wider widest! L\303\263wer' >low.txt
runs 'WordPiece' bpe-train -q --model wordpiece -s 60 -o wp.json low.txt
is "$(vocab wp.json)" '[PAD] [UNK] [CLS] [SEP] [MASK] ! , d e i l n o r s t w ##d ##e ##i ##o ##r ##s ##t ##w ##we lo wi ##de ##st ##wer wide ne ##west lower' \
    'has its tokens in its order'
run tokenize -q -t wp.json --text-ids --text low.txt
is "$status" 0 'tokenize reads it' || diag "$err"
tokenize -q -t wp.json --text low.txt | detokenize -q >back
is "$(cat back)" 'low lower lowest, newer newest wide wider widest! lower' 'and the text comes back'
bpe-train -q --model wordpiece --cased -s 60 -o cased.json low.txt
like " $(vocab cased.json) " ' L .* ##ó ' '--cased keeps capitals and accents'
bpe-train -q --model wordpiece --limit-alphabet 3 -s 60 -o few.json low.txt
is "$(vocab few.json)" '[PAD] [UNK] [CLS] [SEP] [MASK] e l w ##e ##w ##we lwe we ##ewe' '--limit-alphabet'
bpe-train -q --model wordpiece --max-token-length 2 -s 60 -o short.json low.txt
unlike "$(vocab short.json)" '[a-z][a-z][a-z]' '--max-token-length'
bpe-train -q --max-token-length 2 --no-special -s 300 -o bytes.json low.txt
unlike "$(vocab bytes.json)" '[a-z][a-z][a-z]' '--max-token-length of bytes'
for j in 2 3 5; do
    bpe-train -q -j $j --model wordpiece -s 200 -o j.json "$TOP"/man/man1/*.1
    bpe-train -q -j 1 --model wordpiece -s 200 -o one.json "$TOP"/man/man1/*.1
    same j.json one.json "-j $j"
done
: >empty
run bpe-train --model wordpiece -s 60 -o none.json empty
is "$status" 0 'no text'
like "$err" 'no text' 'is said'

# ---- Unigram (tests/long/unigram.t holds it against sentencepiece)

cat "$TOP"/man/man1/*.1 >man.txt
runs 'Unigram' bpe-train -q --model unigram --lines -s 500 -o uni.json man.txt
like "$(vocab uni.json)" '^<unk> <s> </s> ' 'special tokens come first'
is "$(vocab uni.json | wc -w)" 500 'as many tokens as were asked for'
printf 'The mill turns the tokens of a text.' >mill.txt
tokenize -q -t uni.json --text mill.txt | detokenize -q >back
same back mill.txt 'text comes back'
ids=$(tokenize -q -t uni.json --text --text-ids mill.txt)
ok [ "$(echo "$ids" | wc -w)" -lt 20 ] -- "in few tokens: $ids"
for j in 2 3 5; do
    bpe-train -q -j $j --model unigram --lines -s 500 -o j.json man.txt
    same j.json uni.json "-j $j"
done
runs 'byte fallback' bpe-train -q --model unigram --byte-fallback --lines -s 800 -o bytes.json man.txt
printf '\346\260\264 \360\237\230\200' >rare
tokenize -q -t bytes.json --text rare | detokenize -q >back
same back rare 'stands for what is rare'
bpe-train -q --model unigram --max-sentencepiece-length 2 --lines -s 400 -o two.json man.txt
unlike " $(vocab two.json | tr ' ' '\n' | sed 1,3d | tr '\n' ' ')" ' [a-z][a-z][a-z]' \
    '--max-sentencepiece-length'
perl -e 'print "a" x 300000' >aaa
runs 'a long run of one letter' bpe-train -q --model unigram -s 40 -o aaa.json aaa
perl -e 'srand 1; print substr "ACGT", rand 4, 1 for 1 .. 50000' >dna
runs 'DNA' bpe-train -q --model unigram -s 300 -o dna.json dna
fails 2 'too small' 'a vocabulary too small for the characters' \
    bpe-train --model unigram --lines -s 20 -o no.json man.txt
fails 2 '<unk>' 'without <unk>' bpe-train --model unigram --special '<x>' -o no.json man.txt
runs 'no text' bpe-train -q --model unigram -s 10 -o none.json empty
fails 2 'is not for' 'frequencies of pairs' bpe-train --model unigram --min-frequency 3 man.txt

# ---- normalisation, digits, memory

printf 'Mu\314\210hle 1234 1235 1236 1237 \357\254\201ne THE the The Caf\303\251\n' >forms
cat forms forms forms forms forms forms >forms.txt
for model in bpe unigram; do
    size=300
    [ $model = bpe ] || size=45
    runs "--normalize, $model" bpe-train -q --model $model --normalize nfkc,lowercase,strip-accents \
        --split-digits -s $size -o norm.json forms.txt
    tokenize -q -t norm.json --lines forms | detokenize -q --jsonl >back
    like "$(cat back)" '(muhle|m\\u|mühle|muhle) 1234 1235 1236 1237 fine the the the caf' \
        'text comes back as it was normalised'
    like "$(vocab norm.json)" '(^| )(.|..)?the( |$)' 'one word of three forms'
    unlike "$(vocab norm.json)" '[1-7][1-7]' 'no token of two digits'
done
bpe-train -q --split gpt2 --split-digits -s 300 --no-special -o digits.json forms.txt
unlike "$(vocab digits.json)" '[1-7][1-7]' '--split-digits with the pattern of GPT-2'
fails 2 'nfx' 'an unknown form' bpe-train --normalize nfc,nfx -o no.json forms.txt
perl -e 'srand 1; for (1 .. 60000) { print join("", map { chr 97 + rand 26 } 1 .. 7), " the mill " }' >many.txt
bpe-train -q -s 600 -o exact.json many.txt
run bpe-train --mem 2G -s 600 -o roomy.json many.txt
unlike "$err" 'forgotten' '--mem that suffices'
same roomy.json exact.json 'is exact'
run bpe-train --mem 2M -j 1 -s 600 -o tight.json many.txt
is "$status" 0 '--mem that does not' || diag "$err"
like "$err" 'forgotten' 'says so'
like "$(vocab tight.json)" 'mill' 'and has what is frequent'
bpe-train -q --mem 2M -j 3 -s 600 -o j.json many.txt 2>/dev/null
same j.json tight.json 'for any -j'

# ---- more merges for a tokenizer

for split in gpt2 cl100k; do
    bpe-train -q --split $split -s 400 -o old.json "$TOP/README"
    runs "--extend, $split" bpe-train -q --extend old.json -s 700 -o more.json man.txt
    is "$(vocab more.json | tr ' ' '\n' | head -n 400)" "$(vocab old.json | tr ' ' '\n')" \
        'the old ids stay'
    is "$(vocab more.json | wc -w)" 700 'and there are as many as were asked for'
    tokenize -q -t old.json --text --text-ids man.txt | wc -w >before
    tokenize -q -t more.json --text --text-ids man.txt | wc -w >after
    ok [ $(($(cat after) * 10)) -lt $(($(cat before) * 9)) ] -- \
        "the text becomes shorter: $(cat before) to $(cat after)"
    tokenize -q -t more.json --text man.txt | detokenize -q >back
    same back man.txt 'and comes back'
done
bpe-train -q -j 3 --extend old.json -s 700 -o j.json man.txt
same j.json more.json 'the same for any -j'
# going on where training stopped gives what training in one go does
bpe-train -q --split gpt2 -s 500 -o half.json man.txt
bpe-train -q --extend half.json -s 700 -o two.json man.txt
bpe-train -q --split gpt2 -s 700 -o whole.json man.txt
is "$(vocab two.json)" "$(vocab whole.json)" 'in two steps as in one'
bpe-train -q --extend "$TOP/tests/files/good-gpt-2.gguf" -s 600 -o g.json man.txt
is "$(vocab g.json | wc -w)" 600 'a GGUF vocabulary becomes a tokenizer.json with more merges'
fails 2 'already' 'fewer ids than there are' bpe-train --extend old.json -s 300 -o no.json man.txt
fails 2 '--split has no meaning' 'another split' \
    bpe-train --extend old.json --split gpt2 -o no.json man.txt
fails 1 'wp.json: .*byte-level BPE' 'WordPiece is not extended' \
    bpe-train --extend wp.json -s 100 -o no.json man.txt

# ---- usage

fails 2 'small' 'a vocabulary too small for the characters' \
    bpe-train --model wordpiece -s 30 -o no.json "$TOP/man/man1/tokenize.1"
fails 2 '--split is not for' 'a split for words' bpe-train --model wordpiece --split gpt2 low.txt
fails 2 '--cased is not for' 'capitals of bytes' bpe-train --cased low.txt
fails 2 'model' 'another model' bpe-train --model wordlevel low.txt
fails 1 'UNK' 'special tokens without the unknown one' \
    bpe-train --model wordpiece --special '[X]' -s 256 -o no.json low.txt
ok [ ! -e no.json ] -- 'and nothing appears'
done_testing
