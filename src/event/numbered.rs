//! Enums whose numbers and names are part of the record format.

/// An enum of one byte, with every variant's number and name.
macro_rules! numbered {
    ($(#[$doc:meta])* $kind:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $number:literal, $name:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $kind {
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $kind {
            /// Every one, in the order of its number.
            pub const ALL: [$kind; [$($number),*].len()] = [$($kind::$variant),*];

            /// The one of this number, if this version knows it.
            pub fn from_number(number: u8) -> Option<$kind> {
                match number {
                    $($number => Some($kind::$variant),)*
                    _ => None,
                }
            }

            /// Its name in decoded events.
            pub fn name(self) -> &'static str {
                match self {
                    $($kind::$variant => $name,)*
                }
            }
        }
    };
}
pub(crate) use numbered;
