package org.tfminilm

/** A bundle that cannot be used; [message] is a sentence for the user. */
class BundleException(message: String, cause: Throwable? = null) : Exception(message, cause) {
    override val message: String = message.shown(MOST_CHARACTERS)

    private companion object {
        const val MOST_CHARACTERS = 500
    }
}
