//! The rules, as pure values and functions: no I/O, no clock, no SQL, no command line.
//!
//! Everything here can be tested without a database, and may be used by every other layer.

/// A type whose values are kept as text, in the database and on the command line alike: `Display` writes it,
/// `FromStr` reads it back.
pub trait TextColumn: std::fmt::Display + std::str::FromStr<Err: std::fmt::Display> {}

/// Defines an enum of words: `as_str`, `ALL`, `Display`, `FromStr`, and serde by the same
/// words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Returns the word of the value in the database and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::domain::TextColumn for $name {}

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => {
                        let known = [$($word,)+].join(", ");
                        Err(format!("unknown {} \"{text}\" (want one of: {known})", $what))
                    }
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word,)+] })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use words;

pub mod action;
pub mod agent;
pub mod artifact;
pub mod autonomy;
pub mod budget;
pub mod chain;
pub mod config;
pub mod coordination;
pub mod dispatch;
pub mod envelope;
pub mod event;
pub mod gate;
pub mod glob;
pub mod ids;
pub mod install;
pub mod interspect;
pub mod json;
pub mod ladder;
pub mod launch;
pub mod lock;
pub mod metadata;
pub mod order;
pub mod ordered;
pub mod phase;
pub mod process;
pub mod record;
pub mod rules;
pub mod run;
pub mod secret;
pub mod signals;
pub mod state;
pub mod stored;
pub(crate) mod task;
pub mod text;
pub mod time;
