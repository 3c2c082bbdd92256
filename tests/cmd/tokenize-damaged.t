#!/bin/sh
# tokenize: tokenizers that are odd or damaged in ways that once went wrong. Each is made from the
# alphabet of byte-level BPE.

. "${0%/*}/../lib.sh"
need_command tokenize perl

# make KIND: a tokenizer.json with merges for the bytes of two Chinese characters and for both
make() {
    perl -CO -MJSON::PP -e '
        my $kind = shift;
        my @c = map { $_ >= 0x21 && $_ <= 0x7e || $_ >= 0xa1 && $_ != 0xad ? chr : $_ <= 0x20
            ? chr(0x100 + $_) : $_ == 0xad ? chr 0x143 : chr(0x121 + $_ - 0x7f) } 0 .. 255;
        my (%v, @m, @added);
        $v{$c[$_]} = $_ for 0 .. 255;
        my @a = map { $c[$_] } 0xe4, 0xb8, 0xad;
        my @b = map { $c[$_] } 0xe5, 0x9b, 0xbd;
        for ([@a[0, 1]], ["$a[0]$a[1]", $a[2]], [@b[0, 1]], ["$b[0]$b[1]", $b[2]],
            [join("", @a), join "", @b]) {
            $v{"$$_[0]$$_[1]"} = keys %v;
            push @m, $_;
        }
        push @added, {id => 260, content => join("", @a, @b), map { $_ => JSON::PP::false }
            qw(single_word lstrip rstrip normalized special)} if $kind eq "added";
        my %split = (type => "ByteLevel", add_prefix_space => JSON::PP::false,
            trim_offsets => JSON::PP::true, use_regex => JSON::PP::false);
        print "\n" if $kind eq "blank";
        print JSON::PP->new->canonical->pretty->encode({version => "1.0", added_tokens => \@added,
            normalizer => undef, pre_tokenizer => \%split, post_processor => undef,
            decoder => {%split, use_regex => JSON::PP::true}, model => {type => "BPE",
            vocab => \%v, merges => \@m}});' "$1"
}
make plain >plain.json
make added >added.json
make blank >blank.json
printf '\344\270\255\345\233\275' >text.txt # the two characters
for name in plain added blank; do
    runs "$name" tokenize -q -t $name.json --text-ids text.txt
    is "$out" 260 '... one id for both characters'
done

perl -MMIME::Base64 -e 'print encode_base64(chr, ""), " $_\n" for 0 .. 255;
    print encode_base64(join("", map { chr(0x80 + $_ % 64) } 1 .. 1026), ""), " 256\n"' >long.tiktoken
fails 1 'long.tiktoken: .*line 257: a token of more than 1024 bytes' 'a rank of 1026 bytes' \
    tokenize -q -t long.tiktoken --split cl100k --text-ids text.txt
done_testing
