#!/usr/bin/perl
# Makes the samples of tokenizer.json beside this file: cd tests/files && perl make-tokenizer.pl

use strict;
use warnings;

sub put {
    my ($name, $text) = @_;
    open my $out, '>:raw', $name or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
}

# The 256 bytes under the names that byte-level BPE gives them, then a few merges.
my @printable = (33 .. 126, 161 .. 172, 174 .. 255);
my %is_printable = map { $_ => 1 } @printable;
my @names = map { chr } @printable;
push @names, map { chr(256 + $_) } 0 .. 255 - @printable;
my @merges = (['a', 'b'], ["\x{120}", 'ab'], ['1', '2'], ['12', '3'], ["\x{120}", "\x{120}"]);
push @names, map { join '', @$_ } @merges;

sub quote {
    my ($s) = @_;
    $s =~ s/(["\\])/\\$1/g;
    utf8::encode($s);
    return "\"$s\"";
}
my $vocab = join ',', map { quote($names[$_]) . ":$_" } 0 .. $#names;
my $end = @names;
my $merges = join ',', map { '[' . join(',', map { quote($_) } @$_) . ']' } @merges;
my $json = <<"END";
{"version":"1.0","truncation":null,"padding":null,
"added_tokens":[{"id":$end,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":null,
"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
"post_processor":null,
"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
"vocab":{$vocab},
"merges":[$merges]}}
END
put('good-bytelevel.tokenizer.json', $json);
put('bad-truncated.tokenizer.json', substr $json, 0, 2000);
put('bad-merge.tokenizer.json', $json =~ s/"merges":\[\[/"merges":[["zz","a"],[/r);
put('bad-model.tokenizer.json', $json =~ s/"type":"BPE"/"type":"Mystery"/r);
put('bad-id.tokenizer.json', $json =~ s/"ab":256/"ab":4294967296/r);
