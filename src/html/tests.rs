//! Pages and what is read of them.

use super::*;
use crate::base::mutants::mutants;

#[track_caller]
fn check(html: &str, expected: &str) {
    assert_eq!(read(html).text, expected, "{html}");
}

#[test]
fn words_flow_and_blocks_are_lines() {
    check("a  b\n\tc", "a b c");
    check("<p>a</p><p>b<br>c</p>", "a\n\nb\nc");
    check("<div>a</div><div>b</div>", "a\nb");
    check("a<b>b</b> <i>c</i>&nbsp;d", "ab c d");
    check("<p> a </p>\n\n<p></p><div></div><p>b", "a\n\nb");
    check("a<hr>b", "a\n\n---\n\nb");
    check("1 < 2 && 3 > 2", "1 < 2 && 3 > 2");
    check("", "");
    check("<", "<");
}

#[test]
fn headings_lists_and_tables_keep_their_shape() {
    check(
        "<h1>A</h1>x<h3>B <em>c</em></h3>y",
        "# A\n\nx\n\n### B c\n\ny",
    );
    check(
        "x<ul><li>a<li>b<ul><li>c</ul></li></ul>y",
        "x\n\n- a\n- b\n  - c\n\ny",
    );
    check("<ol start=3><li>a</li><li>b</li></ol>", "3. a\n4. b");
    check("<ul><li><p>a</p></li><li></li></ul>", "- a");
    check(
        "<table><tr><th>k<th>v</tr><tr><td>a</td><td>1</td></tr></table>",
        "k | v\na | 1",
    );
    check("<dl><dt>t<dd>d</dl>", "t\n  d");
}

#[test]
fn what_is_preformatted_stays() {
    check("x<pre>a\n  b\n\n\n\tc\n</pre>y", "x\n\na\n  b\n\n\tc\n\ny");
    check("<pre><code>a &lt; b\n</code></pre>", "a < b");
}

#[test]
fn what_is_not_shown_is_dropped() {
    check("a<script>if (a<b) '</p>'</script>b", "ab");
    check(
        "<STYLE>p{}</STYLE >a<!-- <p> -->b<!doctype x>c<?y?>d",
        "abcd",
    );
    check("a<script>b", "ab");
    check("a<!-->b", "ab");
    check("<svg><text>x</text></svg>a", "a");
    check("<img src=x alt='a &amp; b'><img src=y>", "[picture: a & b]");
    check("a\u{1b}[2Jb&#27;c&#0;d", "a[2Jbcd");
}

#[test]
fn a_link_has_a_number_and_an_address() {
    let page = read(
        "<a href='/x?a=1&amp;b=2'>one</a>, <a class=\"y>\" href=z>two</a> <a href=#q>q</a> \
         <a href='javascript:x()'>j</a> <a href=/x?a=1&amp;b=2> again </a><a href=w></a>",
    );
    assert_eq!(page.text, "one [1], two [2] q j again [1]");
    assert_eq!(page.links, ["/x?a=1&b=2", "z", "w"]);
    let many: String = (0..600).map(|n| format!("<a href=/{n}>x</a>")).collect();
    assert_eq!(read(&many).links.len(), LINKS_MAX);
}

#[test]
fn attributes_are_found_however_they_are_written() {
    for tag in [
        "<a href=u>x</a>",
        "<A HREF = 'u'>x</a>",
        "<a b c='>' href=\"u\"/>x</a>",
        "<a data-href=v href=u>x</a>",
    ] {
        assert_eq!(read(tag).links, ["u"], "{tag}");
    }
    check("<a href='u>x</a>y", "x [1]y");
}

#[test]
fn the_title_is_a_line_of_its_own() {
    let page = read("<head><title> A &amp;\n <b>B </title></head><body>x");
    assert_eq!(page.title, "A & <b>B");
    assert_eq!(page.text, "x");
}

#[test]
fn characters_have_names_and_numbers() {
    check(
        "&sup;&sup2;&le;&lsquo;&Sigma;&bsol;&quot;&shy;.",
        "&sup;²≤‘Σ\\\".",
    );
    check("&lt;&#60;&#x3C;&eacute;&#8212;&#151;", "<<<é——");
    check(
        "&nosuch; & &amp &#xD800; &#99999999;",
        "&nosuch; & &amp \u{fffd} \u{fffd}",
    );
}

#[test]
fn bytes_are_read_by_their_charset() {
    assert_eq!(text_of(b"caf\xe9 \x93", "ISO-8859-1").0, "café “");
    assert_eq!(text_of("é".as_bytes(), "").0, "é");
    let (text, is_broken) = text_of(b"\xef\xbb\xbfcaf\xe9", "utf-8");
    assert_eq!((&*text, is_broken), ("caf\u{fffd}", true));
    let page = b"<meta charset=\"Windows-1252\"><p>";
    assert_eq!(charset_of(page).as_deref(), Some("windows-1252"));
    assert_eq!(charset_of(b"<p>"), None);
}

#[test]
fn a_page_takes_time_and_space_by_its_length() {
    for unit in [
        "<ul><li>",
        "<a href=x",
        "</",
        "<!--",
        "<script>",
        "&",
        "<a b='",
        "<pre>\n\n",
    ] {
        let page = read(&unit.repeat(100_000));
        assert!(page.text.len() <= TEXT_BYTES_MAX + 100, "{unit}");
    }
    let deep = "<ol><li>x".repeat(400_000);
    assert!(read(&deep).is_cut);
}

#[test]
fn no_page_is_too_odd() {
    let fixture = "<!doctype html><title>T&amp;</title><h2 id='a>'>H</h2><p>x &eacute;&#27;\
                   <a href=\"u\">l</a><ul><li>a<ol><li>b</ol></ul><pre>\n\n\n\tc</pre>\
                   <script>d</script><!-- e --><table><tr><td>f<td>g</table><img alt=h>\
                   <meta charset=latin1>";
    assert!(read(fixture).text.starts_with("## H\n\nx \u{e9}l [1]"));
    fuzz_page(fixture.as_bytes());
    mutants(fixture.as_bytes()).for_each(|page| fuzz_page(&page));
}
