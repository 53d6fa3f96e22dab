package org.tfminilm

/**
 * A bundle that cannot be used; [message] is a sentence for the user.
 *
 * @property code what a program can tell apart.
 */
class BundleException @JvmOverloads constructor(
    message: String,
    cause: Throwable? = null,
    val code: Code = Code.DAMAGED,
) : Exception(message, cause) {
    override val message: String = message.shown(MOST_CHARACTERS)

    /** Why a bundle cannot be used. */
    enum class Code {
        /** Its parts do not go together, or are not what its manifest says. */
        DAMAGED,

        /** The folder or the file holds something else. */
        NOT_A_BUNDLE,

        /** A file is missing or cannot be read. */
        UNREADABLE,
        TOO_LARGE,

        /** An update of the app can read it. */
        TOO_NEW,

        /** It has to be exported again. */
        TOO_OLD,

        /** No version of the app reads this kind of tokenizer. */
        UNSUPPORTED,

        /** The app's LiteRT does not compute the model rightly. */
        WRONG_RUNTIME,

        /** The app lacks a part of the library. */
        BROKEN_APP,
    }

    private companion object {
        const val MOST_CHARACTERS = 500
    }
}
