//! The kinds of files that a call may name, as ripgrep names them, with the globs of each.
//!
//! ripgrep's own table is not used: it has 200 kinds in 150 KB of pointers, most of which no call
//! ever names. This one is text, and a glob does for what it lacks.

use crate::base::text;
use crate::tools::Refusal;
use ignore::types::Types;
use ignore::types::TypesBuilder;

/// A kind a line: its names, then its globs.
const TABLE: &str = "\
asm: *.asm *.s *.S
awk: *.awk
c: *.c *.h *.H *.cats
cmake: *.cmake CMakeLists.txt
clojure: *.clj *.cljc *.cljs *.cljx
config: *.cfg *.conf *.config *.ini
cpp: *.C *.cc *.cpp *.cxx *.c++ *.h *.hh *.hpp *.hxx *.inl
cs csharp: *.cs
css: *.css *.scss
csv: *.csv
dart: *.dart
docker: *Dockerfile*
elixir: *.ex *.eex *.exs *.heex *.leex *.livemd
elm: *.elm
erlang: *.erl *.hrl
fish: *.fish
fortran: *.f *.F *.f77 *.f90 *.F90 *.f95 *.pfo
fsharp: *.fs *.fsx *.fsi
go: *.go
gradle: *.gradle *.gradle.kts gradle-wrapper.* gradlew*
graphql: *.graphql *.graphqls
groovy: *.groovy *.gradle
haskell: *.hs *.lhs *.cpphs *.c2hs *.hsc
hcl tf terraform: *.hcl *.tf *.tfvars *.tf.json *.terraform.lock.hcl
html: *.htm *.html *.ejs
java: *.java *.jsp *.jspx *.properties
js: *.js *.jsx *.vue *.cjs *.mjs
json: *.json composer.lock *.sarif
jsonl: *.jsonl
julia: *.jl
jupyter: *.ipynb *.jpynb
kotlin: *.kt *.kts
less: *.less
lisp: *.el *.jl *.lisp *.lsp *.sc *.scm
lock: *.lock package-lock.json
log: *.log
lua: *.lua
make: Makefile* *makefile *.mk *.mak GNUmakefile
markdown md: *.markdown *.md *.mdown *.mdx *.mdwn *.mkd *.mkdn
nim: *.nim *.nimf *.nimble *.nims
nix: *.nix
objc: *.h *.m
ocaml: *.ml *.mli *.mll *.mly
org: *.org *.org_archive
perl: *.perl *.pl *.PL *.plh *.plx *.pm *.t
php: *.php *.php3 *.php4 *.php5 *.php7 *.php8 *.pht *.phtml
protobuf: *.proto
ps powershell: *.cdxml *.ps1 *.ps1xml *.psd1 *.psm1
py python: *.py *.pyi
r: *.R *.r *.Rmd *.rmd *.Rnw *.rnw
rst: *.rst
ruby: *.rb *.rbw *.gemspec Gemfile .irbrc Rakefile config.ru
rust: *.rs
sass: *.sass *.scss
scala: *.scala *.sbt
sh: *.sh *.bash *.bashrc *.csh *.cshrc *.ksh *.kshrc *.tcsh *.zsh .bash* .profile .zshrc
sql: *.sql *.psql
svelte: *.svelte *.svelte.ts
svg: *.svg
swift: *.swift
systemd: *.automount *.conf *.device *.link *.mount *.path *.service *.slice *.socket *.timer
tcl: *.tcl
tex: *.tex *.ltx *.cls *.sty *.bib *.dtx *.ins
toml: *.toml Cargo.lock
ts typescript: *.ts *.tsx *.cts *.mts
txt: *.txt
vim: *.vim .vimrc .gvimrc vimrc gvimrc
vue: *.vue
xml: *.xml *.xml.dist *.dtd *.xsl *.xslt *.xsd *.xjb *.rng *.sch *.xhtml
yaml: *.yaml *.yml
zig: *.zig
zsh: *.zsh .zshenv .zlogin .zlogout .zprofile .zshrc
";

/// The files of the kind that a call names.
pub fn types(name: &str) -> Result<Types, Refusal> {
    let rows = || TABLE.lines().filter_map(|row| row.split_once(':'));
    let names = rows().flat_map(|(names, _)| names.split(' '));
    let row = rows().find(|(names, _)| names.split(' ').any(|known| known == name));
    let Some((_, globs)) = row else {
        let near = text::nearest(name, names);
        let hint = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
        return Err(Refusal::new(format!(
            "there is no type {name}{hint}; common ones are those of rg --type-list, and glob \
             takes any ending"
        )));
    };
    let mut builder = TypesBuilder::new();
    for glob in globs.split_whitespace() {
        builder.add(name, glob)?;
    }
    Ok(builder.select(name).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_asked_for() {
        for (names, globs) in TABLE.lines().filter_map(|row| row.split_once(':')) {
            for name in names.split(' ') {
                assert!(types(name).is_ok(), "{name}");
                assert!(name.chars().all(char::is_alphanumeric), "{name}");
            }
            assert!(!globs.trim().is_empty(), "{names}");
        }
        assert_eq!(TABLE.lines().count(), TABLE.matches(": ").count());
    }

    #[test]
    fn an_unknown_kind_names_the_nearest() {
        let Err(refusal) = types("pyhton") else {
            panic!("there is no such type");
        };
        let words = format!("{refusal:?}");
        assert!(words.contains("did you mean python?"), "{words}");
    }
}
